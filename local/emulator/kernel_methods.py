"""The methods of the service, by name: what each answers.

A method takes the service, its parsed request and the faults that strike the call, and returns a response of
the SDK's types, a plain dict where those cannot say it, or a `Redirect`. It raises `Refusal` for HTTP
errors. Those about models are in `publishing`.
"""

import time
import zipfile
from pathlib import Path
from typing import Any

from kagglesdk.kernels.types import kernels_api_service as api
from kagglesdk.kernels.types.kernels_enums import KernelsListViewType
from kagglesdk.security.types.oauth_service import IntrospectTokenRequest, IntrospectTokenResponse

from local.emulator import model_methods
from local.emulator.push_method import save_kernel
from local.emulator.service import (
    EmulatorService,
    Redirect,
    Refusal,
    RpcMethod,
    Struck,
    denied,
    duration,
    moment,
    page,
    stored_log,
    version_number,
)
from local.emulator.storage import quota
from local.emulator.storage.kernels import ENDED, Kernel, Version
from shared.core.files import fresh


def session_status(service: EmulatorService, request: Any, struck: Struck) -> dict[str, Any]:
    """The status of a version, the current one where none is named. A dict, for a fault may name any state."""
    number = version_number(request.version_label)
    version = service.find_version(request.user_name, request.kernel_slug, number)
    if "stale_status" in struck and number is None and version.number > 1:
        version = service.find_version(request.user_name, request.kernel_slug, version.number - 1)
    value = service.store.status(version)
    state = struck["stuck"].state if "stuck" in struck else value["status"]
    message = value.get("failure_message")
    return {"status": state} | ({"failureMessage": message} if message else {})


def session_output(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListKernelSessionOutputResponse:
    """Signed URLs of a version's outputs, page by page, and its log; nothing before the session ended."""
    number = version_number(request.version_label)
    version = service.find_version(request.user_name, request.kernel_slug, number)
    response = api.ApiListKernelSessionOutputResponse()
    if service.store.status(version)["status"] not in ENDED:
        return response
    there = list(version.outputs())
    if "unlisted" in struck:
        hidden = struck["unlisted"].names or there
        there = [name for name in there if name not in hidden]
    names, response.next_page_token = page(there, request.page_size, request.page_token)
    response.files = [output_file(service, version, name) for name in names]
    if "listed" in struck and there:
        response.files += [output_file(service, version, there[0], alias) for alias in struck["listed"].names]
    response.log = stored_log(version, struck)
    return response


def output_file(
    service: EmulatorService, version: Version, name: str, alias: str = ""
) -> api.ApiKernelSessionOutputFile:
    """One output in the listing; under another name, where `alias` says so."""
    item = api.ApiKernelSessionOutputFile()
    item.file_name = alias or name
    item.url = service.base + service.url_of(version, name)
    return item


def kernel_files(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListKernelFilesResponse:
    """Names, sizes and dates of a version's outputs."""
    number = version_number(request.version_label)
    version = service.find_version(request.user_name, request.kernel_slug, number)
    outputs = version.outputs() if service.store.status(version)["status"] in ENDED else {}
    items, token = page(list(outputs.items()), request.page_size, request.page_token)
    response = api.ApiListKernelFilesResponse()
    response.files = [listed_file(name, path) for name, path in items]
    response.next_page_token = token
    return response


def listed_file(name: str, path: Path) -> api.ApiListKernelFilesItem:
    item = api.ApiListKernelFilesItem()
    item.name, item.size = name, path.stat().st_size
    item.creation_date = moment(path.stat().st_mtime).isoformat(timespec="milliseconds") + "Z"
    return item


def get_kernel(service: EmulatorService, request: Any, struck: Struck) -> api.ApiGetKernelResponse:
    """Metadata and source; the slug may carry a version behind a slash, as the `kaggle` command sends it."""
    slug, _, number = (request.kernel_slug or "").partition("/")
    label = f"v{number}" if number else request.version_label
    kernel = service.find(request.user_name, slug)
    version = service.find_version(kernel.owner, slug, version_number(label))
    response = api.ApiGetKernelResponse()
    response.metadata = metadata(kernel)
    response.blob = api.ApiKernelBlob()
    response.blob.source = (version.folder / "source.ipynb").read_text(encoding="utf-8")
    response.blob.language, response.blob.kernel_type, response.blob.slug = "python", "notebook", slug
    return response


def metadata(kernel: Kernel) -> api.ApiKernelMetadata:
    """What is known of a kernel; the latest push's fields under the same names."""
    about = kernel.about
    item = api.ApiKernelMetadata.from_dict({**about["push"], "id": kernel.id, "kernelType": "notebook"})
    item.ref, item.slug = f"{kernel.owner}/{kernel.slug}", kernel.slug
    item.title, item.author = about["title"], kernel.owner
    item.last_run_time = moment(about["saved_at"])
    item.current_version_number = about["current"]
    return item


def list_kernels(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListKernelsResponse:
    """The user's kernels, the one pushed last first; `search` looks into titles."""
    own = request.group == KernelsListViewType.PROFILE or (request.user or service.username) == service.username
    words = (request.search or "").lower()
    found = [kernel for kernel in service.store.kernels() if own and words in kernel.about["title"].lower()]
    if not request.page_token and (request.page or 1) > 1:
        found = found[(request.page - 1) * (request.page_size or 20) :]
    items, token = page(found, request.page_size, request.page_token)
    response = api.ApiListKernelsResponse()
    response.kernels = [metadata(kernel) for kernel in items]
    response.next_page_token = token or ""
    return response


def delete_kernel(service: EmulatorService, request: Any, struck: Struck) -> api.ApiDeleteKernelResponse:
    """Removes a kernel; its sessions end."""
    with service.saving:
        service.store.delete(service.find(request.user_name, request.kernel_slug, "kernels.delete"))
    return api.ApiDeleteKernelResponse()


def cancel_session(service: EmulatorService, request: Any, struck: Struck) -> api.ApiCancelKernelSessionResponse:
    """Ends a session by its number, which no public call returns."""
    for version in service.store.live():
        if version.session_id == request.kernel_session_id:
            service.store.cancel(version)
            return api.ApiCancelKernelSessionResponse()
    raise denied("kernelSessions.cancel")


def accelerator_quota(service: EmulatorService, request: Any, struck: Struck) -> dict[str, Any]:
    """The week's GPU and TPU time. A dict, for the SDK writes 30 hours as 6."""
    now = time.time()
    allowed = {"gpuQuota": quota.GPU_SECONDS, "tpuQuota": quota.TPU_SECONDS}
    spent = quota.GPU_SECONDS if "no_quota" in struck else service.store.gpu_seconds(now)
    used = {"gpuQuota": spent, "tpuQuota": 0.0}
    quotas = {
        name: {
            "timeUsed": duration(used[name]),
            "timeReserved": duration(0),
            "totalTimeAllowed": duration(allowed[name]),
            "hasEverRun": used[name] > 0,
        }
        for name in allowed
    }
    return {"quotaRefreshTime": quota.next_refresh(now).strftime("%Y-%m-%dT%H:%M:%SZ"), **quotas}


def download_output(service: EmulatorService, request: Any, struck: Struck) -> Redirect:
    """Where one output is, or, without a path, where all of them are as one zip archive."""
    version = service.find_version(request.owner_slug, request.kernel_slug, request.version_number or None)
    if not request.file_path:
        return archive(service, version)
    if service.store.status(version)["status"] not in ENDED or request.file_path not in version.outputs():
        raise Refusal(404, f"'{request.file_path}' was not found among the outputs of {version.name}")
    return Redirect(service.url_of(version, request.file_path))


def archive(service: EmulatorService, version: Version) -> Redirect:
    """The zip archive of an ended session, made when it is first asked for."""
    if service.store.status(version)["status"] not in ENDED:
        raise Refusal(404, f"{version.name} has no outputs yet")
    target, outputs = version.folder / ARCHIVE, version.outputs()
    if sum(path.stat().st_size for path in outputs.values()) > ARCHIVE_BYTES:
        raise Refusal(400, f"The outputs of {version.name} are too large for one archive: fetch them one by one")
    with service.saving:
        if not target.exists():
            with fresh(target) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as packed:
                for name, path in outputs.items():
                    packed.write(path, name)
    return Redirect(service.url_of(version, ARCHIVE))


def introspect_token(service: EmulatorService, request: Any, struck: Struck) -> IntrospectTokenResponse:
    """Whose token it is; a wrong one is not active."""
    response = IntrospectTokenResponse()
    response.active = service.is_key(request.token or "")
    response.username = service.username if response.active else ""
    return response


QuotaRequest = api.ApiGetAcceleratorQuotaStatisticsRequest
ARCHIVE = "__output__.zip"
ARCHIVE_BYTES = (
    2_000_000_000  # what is packed while everyone waits; a file of holes costs nothing and can be a terabyte
)
KERNELS, SECURITY = "kernels.KernelsApiService", "security.OAuthService"


METHODS = {
    f"{KERNELS}/SaveKernel": RpcMethod(api.ApiSaveKernelRequest, save_kernel),
    f"{KERNELS}/GetKernelSessionStatus": RpcMethod(api.ApiGetKernelSessionStatusRequest, session_status),
    f"{KERNELS}/ListKernelSessionOutput": RpcMethod(api.ApiListKernelSessionOutputRequest, session_output),
    f"{KERNELS}/ListKernelFiles": RpcMethod(api.ApiListKernelFilesRequest, kernel_files),
    f"{KERNELS}/GetKernel": RpcMethod(api.ApiGetKernelRequest, get_kernel),
    f"{KERNELS}/ListKernels": RpcMethod(api.ApiListKernelsRequest, list_kernels),
    f"{KERNELS}/DeleteKernel": RpcMethod(api.ApiDeleteKernelRequest, delete_kernel),
    f"{KERNELS}/CancelKernelSession": RpcMethod(api.ApiCancelKernelSessionRequest, cancel_session),
    f"{KERNELS}/GetAcceleratorQuotaStatistics": RpcMethod(QuotaRequest, accelerator_quota),
    f"{KERNELS}/DownloadKernelOutput": RpcMethod(api.ApiDownloadKernelOutputRequest, download_output),
    f"{SECURITY}/IntrospectToken": RpcMethod(IntrospectTokenRequest, introspect_token, asks_for_key=False),
    **model_methods.METHODS,
}  # fmt: skip
