"""Kaggle Models of a service, in plain types: what exists, and calls that create more.

    models = ModelsApi(service)
    models.model("k2l-compact")                                   None if there is no such model
    models.instance("k2l-compact", "onnx")                        its latest version, its licence; None
    models.create_version("k2l-compact", "onnx", tokens, notes)

Beside `client` this is the one module that knows the SDK's types of models; `client.Service` makes the calls, with its
time-outs, retries and errors. What to publish, in which order, and what not twice, is decided in `local.publishing`.
"""

import base64
import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from local.kaggle_api.client import MOST_PAGES, Parsed, Service, typed
from local.kaggle_api.errors import (
    CONFLICT,
    ConflictError,
    MissingError,
    PushLostError,
    UnansweredError,
    UnreachableError,
)
from local.kaggle_api.http import storage_md5
from shared.core.errors import RefusedError, plain

VARIATION = "default"  # the instance's slug: we have one for each framework
CHUNK, MOST_CHUNKS = 1 << 16, 100  # bytes of a piece, and the number of pieces, of a small file that is read back
TRIES = 3
# The names in Kaggle's handles -> those in its protocol.
ENUMS = {
    "pyTorch": "MODEL_FRAMEWORK_PY_TORCH",
    "keras": "MODEL_FRAMEWORK_KERAS",
    "onnx": "MODEL_FRAMEWORK_ONNX",
    "tfLite": "MODEL_FRAMEWORK_TF_LITE",
}


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """A model that exists there."""

    title: str
    description: str
    private: bool
    url: str


@dataclass(frozen=True, kw_only=True)
class InstanceInfo:
    """An instance that exists there: the number of its latest visible version, and its licence."""

    version: int
    license: str
    url: str


@dataclass(frozen=True, kw_only=True)
class UploadSession:
    """Where the bytes of a file are sent, and the token that names them then. Both are secrets: they let one write."""

    url: str = field(repr=False)
    token: str = field(repr=False)


class ModelsApi:
    """The models of one user of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._models = service.sdk.models.model_api_client
        self._blobs = service.sdk.blobs.blob_api_client

    def handle(self, slug: str, framework: str = "") -> str:
        """`owner/slug`, or the handle of an instance."""
        return f"{self.service.username}/{slug}" + (f"/{framework}/{VARIATION}" if framework else "")

    def model(self, slug: str) -> ModelInfo | None:
        """What is there of that model."""
        from kagglesdk.models.types.model_api_service import ApiGetModelRequest

        def read(answer: Any) -> ModelInfo:
            return ModelInfo(
                title=typed(str, answer.title),
                description=typed(str, answer.description),
                private=typed(bool, answer.is_private),
                url=typed(str, answer.url),
            )

        return self._found(self._models.get_model, self._named(ApiGetModelRequest, slug), self.handle(slug), read)

    def instance(self, slug: str, framework: str) -> InstanceInfo | None:
        """The instance of that model for that framework, or None."""
        from kagglesdk.models.types.model_api_service import ApiGetModelInstanceRequest

        def read(answer: Any) -> InstanceInfo:
            version, license = typed(int, answer.version_number), typed(str, answer.license_name)
            return InstanceInfo(version=version, license=license, url=typed(str, answer.url))

        request = self._named(ApiGetModelInstanceRequest, slug, framework)
        return self._found(self._models.get_model_instance, request, self.handle(slug, framework), read)

    def files(self, slug: str, framework: str, version: int) -> dict[str, int]:
        """The names and sizes of a version's files; empty if there is no such version."""
        from kagglesdk.models.types.model_api_service import ApiListModelInstanceVersionFilesRequest

        def read(answer: Any) -> tuple[dict[str, int], str]:
            page = {typed(str, one.name): typed(int, one.size) for one in answer.files or []}
            return page, typed(str, answer.next_page_token)

        kind = ApiListModelInstanceVersionFilesRequest
        request = self._named(kind, slug, framework, version_number=version, page_size=100)
        what, method = self.handle(slug, framework), self._models.list_model_instance_version_files
        found: dict[str, int] = {}
        for _ in range(MOST_PAGES):
            page, token = self._found(method, request, what, read) or ({}, "")
            found |= page
            if not token:
                return found
            request.page_token = token
        raise UnansweredError(f"{self.service.label} lists the files of {what} endlessly, {len(found):,} so far.")

    def file(self, slug: str, framework: str, version: int, name: str) -> bytes:
        """A small file of a version, checked against the MD5 that the storage states; b"" where there is none."""
        from kagglesdk.models.types.model_api_service import ApiDownloadModelInstanceVersionRequest

        def read(answer: Any) -> bytes:
            with answer:
                content = b"".join(islice(answer.iter_content(CHUNK), MOST_CHUNKS))
            if storage_md5(answer) not in ("", base64.b64encode(hashlib.md5(content).digest()).decode()):
                raise ValueError("its bytes differ from the storage's MD5")
            return content

        kind = ApiDownloadModelInstanceVersionRequest
        request = self._named(kind, slug, framework, version_number=version, path=name)
        what, method = f"{self.handle(slug, framework)} {name}", self._models.download_model_instance_version
        for _ in range(TRIES - 1):
            with suppress(UnreachableError, UnansweredError):  # cut off or damaged: no session repeats that
                return self._found(method, request, what, read) or b""
        return self._found(method, request, what, read) or b""

    def create_model(self, slug: str, *, title: str, description: str, private: bool) -> None:
        """Creates a model without files. ConflictError if it exists; else as `Service.create`."""
        from kagglesdk.models.types.model_api_service import ApiCreateModelRequest

        request = _filled(
            ApiCreateModelRequest, owner_slug=self.service.username, slug=slug, title=title, subtitle="",
            description=description, is_private=private, provenance_sources="",
        )  # fmt: skip
        self._create(self._models.create_model, request, self.handle(slug))

    def update_model(self, slug: str, **changes: Any) -> None:
        """Changes a model's title, description or is_private."""
        from google.protobuf.field_mask_pb2 import FieldMask
        from kagglesdk.models.types.model_api_service import ApiUpdateModelRequest

        mask = FieldMask(paths=list(changes))
        request = self._named(ApiUpdateModelRequest, slug, **changes, update_mask=mask)
        what, method = self.handle(slug), self._models.update_model
        message = self.service.call(method, request, what, lambda answer: typed(str, answer.error))
        if message:
            raise RefusedError(f"{self.service.label} refused to change {what}: {plain(message)}")

    def create_instance(
        self,
        slug: str,
        framework: str,
        tokens: Sequence[str],
        *,
        license: str,
        overview: str,
        usage: str,
        training_data: str,
    ) -> None:
        """Creates an instance with its first version. ConflictError if it exists; else as `Service.create`."""
        from kagglesdk.models.types import model_api_service as api

        body = _filled(
            api.ApiCreateModelInstanceRequestBody, instance_slug=VARIATION, framework=_enum(framework),
            license_name=license, overview=overview, usage=usage, training_data=[training_data], fine_tunable=False,
            base_model_instance="", external_base_model_url="", files=_files(tokens),
        )  # fmt: skip
        request = self._named(api.ApiCreateModelInstanceRequest, slug, body=body)
        self._create(self._models.create_model_instance, request, self.handle(slug, framework))

    def create_version(self, slug: str, framework: str, tokens: Sequence[str], notes: str) -> None:
        """Creates the next version of an instance. Two calls create two."""
        from kagglesdk.models.types import model_api_service as api

        files = _files(tokens)
        body = _filled(api.ApiCreateModelInstanceVersionRequestBody, version_notes=notes, files=files)
        request = self._named(api.ApiCreateModelInstanceVersionRequest, slug, framework, body=body)
        self._create(self._models.create_model_instance_version, request, self.handle(slug, framework))

    def start_upload(self, name: str, size: int, modified: int) -> UploadSession:
        """A session for a file of so many bytes; `modified` in seconds since 1970."""
        from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest

        def read(answer: Any) -> UploadSession:
            return UploadSession(url=typed(str, answer.create_url), token=typed(str, answer.token))

        request = _filled(
            ApiStartBlobUploadRequest, type=ApiBlobType.MODEL, name=name, content_length=size,
            last_modified_epoch_seconds=modified,
        )  # fmt: skip
        session = self.service.call(self._blobs.start_blob_upload, request, f"an upload of {name}", read)
        if not session.url.startswith(("http://", "https://")) or not session.token:
            raise UnansweredError(f"{self.service.label} gives no URL to send {name} to. The same command resumes it.")
        return session

    def _create(self, method: Callable[[Any], Any], request: Any, what: str) -> None:
        def read(answer: Any) -> tuple[str, int, bool]:
            made = bool(typed(int, answer.id) or typed(str, answer.ref) or typed(str, answer.url))
            return typed(str, answer.error), typed(int, answer.error_code), made

        error, code, made = self.service.create(method, request, f"the publishing of {what}", read)
        if error:
            kind = ConflictError if code == CONFLICT or "already exists" in error else RefusedError
            raise kind(f"{self.service.label} refused {what}: {plain(error)}")
        if not made:
            raise PushLostError(f"{self.service.label}: the answer about {what} does not say what was created.")

    def _found(
        self, method: Callable[[Any], Any], request: Any, what: str, read: Callable[[Any], Parsed]
    ) -> Parsed | None:
        try:
            return self.service.call(method, request, what, read)
        except MissingError:
            return None

    def _named(self, kind: type, slug: str, framework: str = "", **fields: Any) -> Any:
        """A request about a model of ours, or about its instance in a framework."""
        if framework:
            fields |= {"framework": _enum(framework), "instance_slug": VARIATION}
        return _filled(kind, owner_slug=self.service.username, model_slug=slug, **fields)


def _filled(kind: type, **fields: Any) -> Any:
    """One of the SDK's objects, with these fields."""
    filled = kind()
    for name, value in fields.items():
        setattr(filled, name, value)
    return filled


def _enum(framework: str) -> Any:
    from kagglesdk.models.types.model_enums import ModelFramework

    return ModelFramework[ENUMS[framework]]


def _files(tokens: Sequence[str]) -> list[Any]:
    from kagglesdk.datasets.types.dataset_api_service import ApiDatasetNewFile

    return [_filled(ApiDatasetNewFile, token=token) for token in tokens]
