"""Kaggle Models of a service, in plain types: what exists, and calls that create more.

    models = ModelsApi(service)
    models.model("k2l-compact")                                   None if there is no such model
    models.instance("k2l-compact", "onnx")                        its latest version, its licence; None
    models.create_version("k2l-compact", "onnx", tokens, notes)

Except for `client`, only this module knows the SDK's types of models; `client.Service` makes the calls, with its
time-outs, retries and errors. `publish` decides what to publish, in which order, and what is done already.
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
class PublishedModel:
    """A model that exists there."""

    title: str
    description: str
    private: bool
    url: str


@dataclass(frozen=True, kw_only=True)
class PublishedInstance:
    """An instance that exists there: the number of its latest visible version, and its licence."""

    version: int
    license: str
    url: str


@dataclass(frozen=True, kw_only=True)
class UploadTarget:
    """Where a file's bytes are sent, and the token of the upload.

    Both are secrets: they allow writing the file and using it.
    """

    url: str = field(repr=False)
    token: str = field(repr=False)


class ModelsApi:
    """The models of one user of a service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._models = service.sdk.models.model_api_client
        self._blobs = service.sdk.blobs.blob_api_client

    def ref(self, slug: str, framework: str = "") -> str:
        """`owner/slug`, or the handle of an instance."""
        return f"{self.service.username}/{slug}" + (f"/{framework}/{VARIATION}" if framework else "")

    def model(self, slug: str) -> PublishedModel | None:
        """The model of that name, or None."""
        from kagglesdk.models.types.model_api_service import ApiGetModelRequest

        def read(answer: Any) -> PublishedModel:
            return PublishedModel(
                title=typed(str, answer.title),
                description=typed(str, answer.description),
                private=typed(bool, answer.is_private),
                url=typed(str, answer.url),
            )

        request = self._named(ApiGetModelRequest(), slug)
        return self._there(lambda: self.service.call(self._models.get_model, request, self.ref(slug), read))

    def instance(self, slug: str, framework: str) -> PublishedInstance | None:
        """The instance of that model for that framework, or None."""
        from kagglesdk.models.types.model_api_service import ApiGetModelInstanceRequest

        def read(answer: Any) -> PublishedInstance:
            version, license = typed(int, answer.version_number), typed(str, answer.license_name)
            return PublishedInstance(version=version, license=license, url=typed(str, answer.url))

        request = self._named(ApiGetModelInstanceRequest(), slug, framework)
        what = self.ref(slug, framework)
        return self._there(lambda: self.service.call(self._models.get_model_instance, request, what, read))

    def files(self, slug: str, framework: str, version: int) -> dict[str, int]:
        """The names and sizes of a version's files; empty if there is no such version."""
        from kagglesdk.models.types.model_api_service import ApiListModelInstanceVersionFilesRequest

        def read(answer: Any) -> tuple[dict[str, int], str]:
            page = {typed(str, one.name): typed(int, one.size) for one in answer.files or []}
            return page, typed(str, answer.next_page_token)

        request = self._named(ApiListModelInstanceVersionFilesRequest(), slug, framework)
        request.version_number, request.page_size = version, 100
        what, method = self.ref(slug, framework), self._models.list_model_instance_version_files
        found: dict[str, int] = {}
        for _ in range(MOST_PAGES):
            answer = self._there(lambda: self.service.call(method, request, what, read))
            page, token = answer or ({}, "")
            found |= page
            if not token:
                return found
            request.page_token = token
        raise UnansweredError(f"{self.service.label} lists the files of {what} endlessly, {len(found):,} so far.")

    def file(self, slug: str, framework: str, version: int, name: str) -> bytes:
        """A small file of a version, checked against the storage's MD5; b"" if there is none."""
        from kagglesdk.models.types.model_api_service import ApiDownloadModelInstanceVersionRequest

        def read(answer: Any) -> bytes:
            with answer:
                content = b"".join(islice(answer.iter_content(CHUNK), MOST_CHUNKS))
            if storage_md5(answer) not in ("", base64.b64encode(hashlib.md5(content).digest()).decode()):
                raise ValueError("its bytes differ from the storage's MD5")
            return content

        request = self._named(ApiDownloadModelInstanceVersionRequest(), slug, framework)
        request.version_number, request.path = version, name
        what, method = f"{self.ref(slug, framework)} {name}", self._models.download_model_instance_version
        for _ in range(TRIES - 1):
            with suppress(
                UnreachableError, UnansweredError
            ):  # cut off or damaged: no session repeats that automatically
                return self._there(lambda: self.service.call(method, request, what, read)) or b""
        return self._there(lambda: self.service.call(method, request, what, read)) or b""

    def create_model(self, slug: str, *, title: str, description: str, private: bool) -> None:
        """Creates a model without files. ConflictError if it exists; else as `Service.create`."""
        from kagglesdk.models.types.model_api_service import ApiCreateModelRequest

        request = ApiCreateModelRequest()
        request.owner_slug, request.slug = self.service.username, slug
        request.title, request.description, request.is_private = title, description, private
        request.subtitle, request.provenance_sources = "", ""
        self._create(self._models.create_model, request, self.ref(slug))

    def update_model(self, slug: str, **changes: Any) -> None:
        """Changes a model's title, description or is_private."""
        from google.protobuf.field_mask_pb2 import FieldMask
        from kagglesdk.models.types.model_api_service import ApiUpdateModelRequest

        request = self._named(ApiUpdateModelRequest(), slug)
        for name, value in changes.items():
            setattr(request, name, value)
        request.update_mask = FieldMask(paths=list(changes))
        what = self.ref(slug)
        message = self.service.call(self._models.update_model, request, what, lambda answer: typed(str, answer.error))
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
        from kagglesdk.models.types.model_api_service import (
            ApiCreateModelInstanceRequest,
            ApiCreateModelInstanceRequestBody,
        )

        body = ApiCreateModelInstanceRequestBody()
        body.instance_slug, body.framework = VARIATION, self._framework(framework)
        body.license_name, body.overview, body.usage = license, overview, usage
        body.training_data, body.fine_tunable = [training_data], False
        body.base_model_instance, body.external_base_model_url = "", ""
        body.files = _files(tokens)
        request = ApiCreateModelInstanceRequest()
        request.owner_slug, request.model_slug, request.body = self.service.username, slug, body
        self._create(self._models.create_model_instance, request, self.ref(slug, framework))

    def create_version(self, slug: str, framework: str, tokens: Sequence[str], notes: str) -> None:
        """Creates the next version of an instance. Two calls create two."""
        from kagglesdk.models.types.model_api_service import (
            ApiCreateModelInstanceVersionRequest,
            ApiCreateModelInstanceVersionRequestBody,
        )

        body = ApiCreateModelInstanceVersionRequestBody()
        body.version_notes, body.files = notes, _files(tokens)
        request = self._named(ApiCreateModelInstanceVersionRequest(), slug, framework)
        request.body = body
        self._create(self._models.create_model_instance_version, request, self.ref(slug, framework))

    def start_upload(self, name: str, size: int, modified: int) -> UploadTarget:
        """An upload target for a file of so many bytes."""
        from kagglesdk.blobs.types.blob_api_service import ApiBlobType, ApiStartBlobUploadRequest

        def read(answer: Any) -> UploadTarget:
            return UploadTarget(url=typed(str, answer.create_url), token=typed(str, answer.token))

        request = ApiStartBlobUploadRequest()
        request.type, request.name, request.content_length = ApiBlobType.MODEL, name, size
        request.last_modified_epoch_seconds = modified
        place = self.service.call(self._blobs.start_blob_upload, request, f"an upload of {name}", read)
        if not place.url.startswith(("http://", "https://")) or not place.token:
            raise UnansweredError(
                f"{self.service.label} gives no upload address for {name}. Run the same command again to resume."
            )
        return place

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

    def _there(self, ask: Callable[[], Parsed]) -> Parsed | None:
        try:
            return ask()
        except MissingError:
            return None

    def _named(self, request: Any, slug: str, framework: str = "") -> Any:
        request.owner_slug, request.model_slug = self.service.username, slug
        if framework:
            request.framework, request.instance_slug = self._framework(framework), VARIATION
        return request

    @staticmethod
    def _framework(framework: str) -> Any:
        from kagglesdk.models.types.model_enums import ModelFramework

        return ModelFramework[ENUMS[framework]]


def _files(tokens: Sequence[str]) -> list[Any]:
    from kagglesdk.datasets.types.dataset_api_service import ApiDatasetNewFile

    files = [ApiDatasetNewFile() for _ in tokens]
    for file, token in zip(files, tokens, strict=True):
        file.token = token
    return files
