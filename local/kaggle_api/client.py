"""One Kaggle-speaking service, reached through the official SDK (`connect` makes it; `models_api` uses it).

    service = connect("kaggle")
    service.push(spec, text, sources); service.status("slug", 3); service.outputs("slug", 3)

What the SDK leaves out is added here: time-outs, bounded and jittered retries that honour `Retry-After` on every
call that may be repeated (the push may not), versions on every question, and the service's own words in our errors.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import requests

from local.kaggle_api.errors import MissingError, PushLostError, UntoldError, Who, failure, refusal, refused, unreached
from local.kaggle_api.http import CONNECT, Bare, cause, log_text, mount, record_text
from local.kaggle_api.kernel_spec import KernelSpec, session_kind
from local.kaggle_api.statuses import Status, stated
from shared.core.errors import RefusedError, ServiceError, plain

QUIET = 300.0  # seconds a log may say nothing on one connection: a line that was cut without a word tells nothing more
MOST_PAGES = 1000  # of a hundred files each

# What the SDK, and who reads its answer, raise over one that is not what they expect.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)

# What makes something, and may so not be called twice by itself: methods whose names begin so.
CREATING = (("kernels.KernelsApiService", "SaveKernel"), ("models.ModelApiService", "CreateModel"))

STATUS = ("kernels.KernelsApiService", "GetKernelSessionStatus")

Stated = TypeVar("Stated")
Method = str | Callable[[Any], Any]  # what is called: by its name in the SDK, or itself


class Answer:
    """For the SDK: an answer's own JSON, in place of one of its types."""

    @staticmethod
    def prepare_from(response: requests.Response) -> Any:
        return response.json()


@dataclass(frozen=True, kw_only=True)
class Pushed:
    """The service's receipt for a push."""

    version: int
    url: str
    trouble: str = ""  # accepted, but without some of its inputs: the run is worthless


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """A file a version left behind; the URL is signed, good for a while, and fetched without credentials."""

    name: str
    url: str


@dataclass(frozen=True, kw_only=True)
class Quota:
    """GPU time of this week; `refresh` (UTC) is when it starts anew."""

    used: timedelta
    total: timedelta
    refresh: datetime | None

    @property
    def left(self) -> timedelta:
        """What may still be used."""
        return max(self.total - self.used, timedelta(0))


class Service:
    """A service and our user there. `label` tells runs of one service from another's, `origin` who told who we are."""

    def __init__(self, sdk: Any, *, username: str, label: str, origin: str = "") -> None:
        self.username = username
        self.label = label
        self.origin = origin
        self.who = Who(username=username, origin=origin)
        self.sdk = sdk
        self._kernels = sdk.kernels.kernels_api_client
        self._http = sdk.http_client()
        self._http._init_session()
        self._session: requests.Session = self._http._session
        mount(self._session, unrepeatable=[self._http._get_request_url(*method) for method in CREATING])
        self._files, self._uploads = Bare(), Bare()
        for session in (self._files, self._uploads):
            session.trust_env = self._session.trust_env
        mount(self._files, strict=False)
        mount(self._uploads, strict=False, unrepeatable=("https://", "http://"))  # where one ended, has to be asked

    def push(self, spec: KernelSpec, text: str, sources: list[str]) -> Pushed:
        """Saves and runs a notebook as the kernel's next version.

        Raises RefusedError with the service's reason (also when it says no with HTTP 200), and of these CapacityError
        where it would take the same push later; PushLostError where nobody can tell whether it arrived.
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
            raise PushLostError(f"{self.label}: the answer to {what} names no version.")
        return receipt

    def status(self, slug: str, version: int) -> Status:
        """The state of one version; never another's."""

        def ask(request: Any) -> Any:
            return self._http.call(*STATUS, request, Answer)

        return self._ask(ask, "ApiGetKernelSessionStatusRequest", slug, version, stated)

    def exists(self, slug: str, version: int) -> bool:
        """Whether there is such a version."""
        try:
            self.status(slug, version)
        except MissingError:
            return False
        return True

    def current_version(self, slug: str) -> int | None:
        """The number of the kernel's latest version; 0 where there is no such kernel, None where it is not told."""
        try:
            latest = self._ask(
                "get_kernel", "ApiGetKernelRequest", slug, None,
                lambda answer: typed(int, answer.metadata and answer.metadata.current_version_number),
            )  # fmt: skip
        except MissingError:
            return None if self.exists(slug, 1) else 0  # some services do not show a kernel that they run
        except UntoldError:
            return None
        return latest if latest > 0 else None

    def source(self, slug: str, version: int) -> str:
        """The notebook of one version, as the service keeps it; "" where it does not give it."""
        try:
            return self._ask(
                "get_kernel", "ApiGetKernelRequest", slug, version,
                lambda answer: typed(str, answer.blob and answer.blob.source),
            )  # fmt: skip
        except (MissingError, UntoldError):
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
        raise UntoldError(f"{self.label} lists the files of {slug} without end, {len(files):,} so far.")

    def follow_log(self, slug: str, version: int, *, quiet: float = QUIET) -> Iterator[str]:
        """Pieces of the log as they are written, from its first one on, until it ends; "" once the stream is open.

        A convenience: `outputs` has the whole log later. Raises ServiceError where the stream breaks, says nothing for
        `quiet` seconds, or ends before the log does: the service cuts it as it likes.
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
            raise ServiceError(f"{self.label}: the log of {slug} broke off ({cause(error)}).") from None
        raise ServiceError(f"{self.label}: the log of {slug} broke off (the service closed the stream).")

    def download(self, url: str, *, start: int = 0) -> requests.Response:
        """Opens a signed URL, from byte `start` on where the server can. The caller closes it and checks its status."""
        # Packed on the way, a transfer could not be resumed by its bytes.
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
        try:
            return self._files.get(url, headers=headers, stream=True)
        except (requests.RequestException, *UNREADABLE) as error:
            raise ServiceError(f"{self.label}: a download broke off ({cause(error)}).") from None

    def upload(self, url: str, data: Any, headers: dict[str, str]) -> requests.Response:
        """One PUT to a signed URL, never repeated by itself: how much of it came has to be asked first."""
        try:
            return self._uploads.put(url, data=data, headers=headers, allow_redirects=False)
        except (requests.RequestException, *UNREADABLE) as error:
            raise ServiceError(f"{self.label}: an upload broke off ({cause(error)}).") from None

    def create(
        self, method: Callable[[Any], Any], request: Any, what: str, read: Callable[[Any], Stated], *, ref: str = ""
    ) -> Stated:
        """What `read` makes of the answer to a call that makes something, and so is not repeated.

        `ref` is the notebook that it makes, if it is one.
        Raises RefusedError for an HTTP error below 500, PushLostError where nobody can tell whether it was done.
        """
        try:
            return read(method(request))
        except requests.HTTPError as error:
            raise refusal(error.response, what, who=self.who, ref=ref) from None
        except (requests.RequestException, *UNREADABLE) as error:
            raise PushLostError(f"{self.label}: no answer to {what} ({cause(error)}).") from None

    def delete(self, slug: str) -> None:
        """Deletes the kernel with all its versions, which ends what runs and what it costs."""
        said = self._ask(
            "delete_kernel", "ApiDeleteKernelRequest", slug, None, lambda answer: typed(str, answer.error_message)
        )
        if said:
            raise RefusedError(f"{self.label} refused to delete {slug}: {plain(said)}")

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
        self, method: Method, kind: str, slug: str, version: int | None, read: Callable[[Any], Stated], **fields: Any
    ) -> Stated:
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

    def call(self, method: Callable[[Any], Any], request: Any, what: str, read: Callable[[Any], Stated]) -> Stated:
        """What `read` makes of the answer to a call that may be repeated; it may stumble over it as the SDK does."""
        try:
            return read(method(request))
        except requests.HTTPError as error:
            raise failure(error.response, what, label=self.label, who=self.who) from None
        except UNREADABLE as error:
            raise UntoldError(
                f"{self.label} gave an answer about {what} that cannot be read ({cause(error)})."
            ) from None
        except requests.RequestException as error:
            raise unreached(error, f"{self.label} cannot be reached") from None


def typed(kind: type[Stated], value: Any) -> Stated:
    """A field of an answer, empty where it is missing; TypeError for one of another type: the SDK lets it through."""
    if value is None:
        return kind()
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{plain(repr(value))} is no {kind.__name__}")
    return value


def _save_fields(spec: KernelSpec, ref: str, text: str, sources: list[str]) -> dict[str, Any]:
    """Every field, since the client's own defaults differ from the documented ones."""
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
        "machine_shape": None if spec.accelerator == "none" else spec.accelerator,  # a CPU has no name there
    }


def _trouble(answer: Any, slug: str) -> str:
    """What makes an accepted push worthless: inputs left out, or the kernel filed under another name."""
    kinds = ("dataset", "competition", "kernel", "model")
    invalid = [f"{kind} {plain(ref)}" for kind in kinds for ref in getattr(answer, f"invalid_{kind}_sources") or []]
    if invalid:
        return f"these inputs do not exist or are not yours: {', '.join(invalid)}"
    filed = typed(str, answer.ref).rstrip("/").rsplit("/", 1)[-1]
    if filed and filed.lower() != slug.lower():
        return f"it was filed as {plain(repr(filed))}, not {slug!r}: title and slug disagree"
    return ""
