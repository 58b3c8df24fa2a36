"""One Kaggle-speaking service, reached through the official SDK (`connect` makes it; `models_api` uses it).

    service = connect("kaggle")
    service.push(spec, text, sources); service.status("slug", 3); service.outputs("slug", 3)

This adds what the SDK lacks: time-outs, bounded and jittered retries that respect `Retry-After` on every call that may
be repeated (the push may not), versions in every request, and the service's own messages in our errors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import requests

from local.kaggle_api.errors import (
    Identity,
    MissingError,
    PushLostError,
    UnansweredError,
    failure,
    refusal,
    refused,
    unreached,
)
from local.kaggle_api.http import CONNECT, WithoutCredentials, cause, log_text, mount, record_text
from local.kaggle_api.kernel_spec import KernelSpec, session_kind
from local.kaggle_api.statuses import Status, read_status
from shared.core.errors import RefusedError, ServiceError, plain

QUIET = 300.0  # seconds of silence on one connection of a log: after a silent cut nothing more comes
MOST_PAGES = 1000  # of a hundred files each

# What the SDK and our readers raise for an unexpected answer.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)

# Methods, by the start of their names, that create something and must not be repeated automatically.
CREATING = (("kernels.KernelsApiService", "SaveKernel"), ("models.ModelApiService", "CreateModel"))

STATUS = ("kernels.KernelsApiService", "GetKernelSessionStatus")

Parsed = TypeVar("Parsed")
Method = str | Callable[[Any], Any]  # a name in the SDK, or a function


class JsonAnswer:
    """For the SDK: an answer's plain JSON, instead of one of its types."""

    @staticmethod
    def prepare_from(response: requests.Response) -> Any:
        return response.json()


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """The service's receipt for a push."""

    version: int
    url: str
    trouble: str = ""  # accepted, but without some of its inputs: the run is useless


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """An output file of a version; the URL is signed, valid for a while, and needs no credentials."""

    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Quota:
    """GPU time of this week; `refresh` (UTC) is when it is renewed."""

    used: timedelta
    total: timedelta
    refresh: datetime | None

    @property
    def left(self) -> timedelta:
        """What is left of it."""
        return max(self.total - self.used, timedelta(0))


class Service:
    """A service and our user there.

    `label` separates the runs of different services; `origin` is the source of the credentials.
    """

    def __init__(self, sdk: Any, *, username: str, label: str, origin: str = "") -> None:
        self.username = username
        self.label = label
        self.origin = origin
        self.who = Identity(username=username, origin=origin)
        self.sdk = sdk
        self._kernels = sdk.kernels.kernels_api_client
        self._http = sdk.http_client()
        self._http._init_session()
        self._session: requests.Session = self._http._session
        mount(self._session, unrepeatable=[self._http._get_request_url(*method) for method in CREATING])
        self._files, self._uploads = WithoutCredentials(), WithoutCredentials()
        for session in (self._files, self._uploads):
            session.trust_env = self._session.trust_env
        mount(self._files, strict=False)
        mount(
            self._uploads, strict=False, unrepeatable=("https://", "http://")
        )  # the service must be asked where one ended

    def push(self, spec: KernelSpec, text: str, sources: list[str]) -> Pushed:
        """Saves and runs a notebook as the kernel's next version.

        Raises RefusedError with the service's reason (also if it refuses with HTTP 200); its subclass CapacityError if
        the same push may be accepted later; PushLostError if it is unknown whether it arrived.
        """
        from kagglesdk.kernels.types.kernels_api_service import ApiSaveKernelRequest

        request, ref = ApiSaveKernelRequest(), f"{self.username}/{spec.slug}"
        for name, value in _save_fields(spec, ref, text, sources).items():
            setattr(request, name, value)

        def read(answer: Any) -> tuple[str, Pushed]:
            version, url = typed(int, answer.version_number), typed(str, answer.url)
            return typed(str, answer.error), Pushed(version=version, url=url, trouble=_trouble(answer, spec.slug))

        what = f"the push of {spec.slug}"
        error, receipt = self.create(self._kernels.save_kernel, request, what, read, ref=ref)
        if error:
            raise refused(f"{self.label} refused {what}: {plain(error)}", error, ref=ref)
        if receipt.version < 1:
            raise PushLostError(f"{self.label}: the answer to {what} has no version.")
        return receipt

    def status(self, slug: str, version: int) -> Status:
        """The state of one version, never of another."""

        def ask(request: Any) -> Any:
            return self._http.call(*STATUS, request, JsonAnswer)

        return self._ask(ask, "ApiGetKernelSessionStatusRequest", slug, version, read_status)

    def exists(self, slug: str, version: int) -> bool:
        """Whether the version exists."""
        try:
            self.status(slug, version)
        except MissingError:
            return False
        return True

    def current_version(self, slug: str) -> int | None:
        """The number of the kernel's latest version; 0 if there is no such kernel, None if it is unknown."""
        try:
            latest = self._ask(
                "get_kernel", "ApiGetKernelRequest", slug, None,
                lambda answer: typed(int, answer.metadata and answer.metadata.current_version_number),
            )  # fmt: skip
        except MissingError:
            return None if self.exists(slug, 1) else 0  # some services do not show a running kernel
        except UnansweredError:
            return None
        return latest if latest > 0 else None

    def source(self, slug: str, version: int) -> str:
        """The notebook of one version, as the service has it; "" if it does not give it."""
        try:
            return self._ask(
                "get_kernel", "ApiGetKernelRequest", slug, version,
                lambda answer: typed(str, answer.blob and answer.blob.source),
            )  # fmt: skip
        except (MissingError, UnansweredError):
            return ""

    def outputs(self, slug: str, version: int) -> tuple[list[OutputFile], str]:
        """All files of one version, over all pages, and its log's text."""

        def read(answer: Any) -> tuple[list[OutputFile], str, str]:
            page = [OutputFile(name=typed(str, one.file_name), url=typed(str, one.url)) for one in answer.files or []]
            return page, log_text(typed(str, answer.log)), typed(str, answer.next_page_token)

        files: list[OutputFile] = []
        log, token, seen = "", "", {""}
        for _ in range(MOST_PAGES):
            page, text, token = self._ask(
                "list_kernel_session_output", "ApiListKernelSessionOutputRequest", slug, version, read,
                page_size=100, page_token=token or None,
            )  # fmt: skip
            files += page
            log = log or text
            if token in seen:
                return files, log
            seen.add(token)
        raise UnansweredError(f"{self.label} lists the files of {slug} endlessly, {len(files):,} so far.")

    def follow_log(self, slug: str, version: int, *, quiet: float = QUIET) -> Iterator[str]:
        """Pieces of the log as they are written, from its start to its end; "" once the stream is open.

        A convenience: `outputs` has the complete log later. Raises ServiceError if the stream breaks, is silent for
        `quiet` seconds, or ends before the log does: the service may cut it at any time.
        """
        url = self._http._get_request_url("kernels", f"logs/stream/{self.username}/{slug}")
        headers = {"Accept": "text/event-stream, */*"}
        try:
            with self._session.get(
                url, params={"versionLabel": f"v{version}"}, headers=headers, stream=True, timeout=(CONNECT, quiet)
            ) as answer:
                if "event-stream" not in answer.headers.get("Content-Type", ""):
                    yield log_text(answer.text)
                    return
                yield ""
                for line in answer.iter_lines():
                    event = line.decode(errors="replace").removeprefix("data:").strip() if line[:5] == b"data:" else ""
                    if event == "END_OF_LOG":
                        return
                    if event:
                        yield record_text(event)
        except (requests.RequestException, *UNREADABLE) as error:
            raise ServiceError(f"{self.label}: the log of {slug} was cut off ({cause(error)}).") from None
        raise ServiceError(f"{self.label}: the log of {slug} was cut off (the service closed the stream).")

    def download(self, url: str, *, start: int = 0) -> requests.Response:
        """Opens a signed URL, from byte `start` on if the server can. The caller closes it and checks its status."""
        # A compressed transfer could not be resumed by its bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            return self._files.get(url, headers=headers, stream=True)
        except (requests.RequestException, *UNREADABLE) as error:
            raise ServiceError(f"{self.label}: a download was cut off ({cause(error)}).") from None

    def upload(self, url: str, data: Any, headers: dict[str, str]) -> requests.Response:
        """One PUT to a signed URL, never repeated automatically: first ask how much of it arrived."""
        try:
            return self._uploads.put(url, data=data, headers=headers, allow_redirects=False)
        except (requests.RequestException, *UNREADABLE) as error:
            raise ServiceError(f"{self.label}: an upload was cut off ({cause(error)}).") from None

    def create(
        self, method: Callable[[Any], Any], request: Any, what: str, read: Callable[[Any], Parsed], *, ref: str = ""
    ) -> Parsed:
        """What `read` makes of the answer to a call that creates something, and so is not repeated.

        `ref` is the notebook that it creates, if it is one.
        Raises RefusedError for an HTTP error below 500, PushLostError if it is unknown whether it was done.
        """
        try:
            return read(method(request))
        except requests.HTTPError as error:
            raise refusal(error.response, what, who=self.who, ref=ref) from None
        except (requests.RequestException, *UNREADABLE) as error:
            raise PushLostError(f"{self.label}: no answer to {what} ({cause(error)}).") from None

    def delete(self, slug: str) -> None:
        """Deletes the kernel with all its versions, which stops its runs and their costs."""
        message = self._ask(
            "delete_kernel", "ApiDeleteKernelRequest", slug, None, lambda answer: typed(str, answer.error_message)
        )
        if message:
            raise RefusedError(f"{self.label} refused to delete {slug}: {plain(message)}")

    def quota(self) -> Quota:
        """GPU time used and allowed this week."""

        def read(answer: Any) -> Quota:
            gpu = answer.gpu_quota
            return Quota(
                used=typed(timedelta, gpu and gpu.time_used),
                total=typed(timedelta, gpu and gpu.total_time_allowed),
                refresh=answer.quota_refresh_time and answer.quota_refresh_time.replace(tzinfo=UTC),
            )

        return self.call(self._kernels.get_accelerator_quota_statistics, None, "the quota", read)

    def _ask(
        self, method: Method, kind: str, slug: str, version: int | None, read: Callable[[Any], Parsed], **fields: Any
    ) -> Parsed:
        from kagglesdk.kernels.types import kernels_api_service as types

        request = getattr(types, kind)()
        request.user_name, request.kernel_slug = self.username, slug
        if version is not None:
            request.version_label = f"v{version}"  # a bare number is a 404
        for name, value in fields.items():
            if value is not None:
                setattr(request, name, value)
        what = f"{self.username}/{slug}" + (f" version {version}" if version else "")
        return self.call(getattr(self._kernels, method) if isinstance(method, str) else method, request, what, read)

    def call(self, method: Callable[[Any], Any], request: Any, what: str, read: Callable[[Any], Parsed]) -> Parsed:
        """What `read` makes of the answer to a call that may be repeated; `read` may raise what UNREADABLE has."""
        try:
            return read(method(request))
        except requests.HTTPError as error:
            raise failure(error.response, what, label=self.label, who=self.who) from None
        except UNREADABLE as error:
            raise UnansweredError(f"{self.label}: the answer about {what} cannot be read ({cause(error)}).") from None
        except requests.RequestException as error:
            raise unreached(error, f"{self.label} cannot be reached") from None


def typed(kind: type[Parsed], value: Any) -> Parsed:
    """A field of an answer, empty if missing; TypeError for another type, which the SDK does not check."""
    if value is None:
        return kind()
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{plain(repr(value))} is no {kind.__name__}")
    return value


def _save_fields(spec: KernelSpec, ref: str, text: str, sources: list[str]) -> dict[str, Any]:
    """Every field, since the client's defaults differ from the documented ones."""
    return {
        "slug": ref,
        "new_title": spec.title,
        "text": text,
        "language": "python",
        "kernel_type": "notebook",
        "is_private": spec.private,
        "enable_gpu": spec.gpu,
        "enable_tpu": session_kind(spec.accelerator) == "TPU",
        "enable_internet": spec.internet,
        "dataset_data_sources": sources,
        "competition_data_sources": [],
        "kernel_data_sources": [],
        "model_data_sources": [],
        "category_ids": spec.keywords,
        "session_timeout_seconds": spec.time_limit,
        "machine_shape": None if spec.accelerator == "none" else spec.accelerator,  # a CPU has no name on Kaggle
    }


def _trouble(answer: Any, slug: str) -> str:
    """What makes an accepted push useless: missing inputs, or another name of the kernel."""
    kinds = ("dataset", "competition", "kernel", "model")
    invalid = [f"{kind} {plain(ref)}" for kind in kinds for ref in getattr(answer, f"invalid_{kind}_sources") or []]
    if invalid:
        return f"these inputs do not exist or are not yours: {', '.join(invalid)}"
    saved = typed(str, answer.ref).rstrip("/").rsplit("/", 1)[-1]
    if saved and saved.lower() != slug.lower():
        return f"it was saved as {plain(repr(saved))}, not {slug!r}: title and slug do not match"
    return ""
