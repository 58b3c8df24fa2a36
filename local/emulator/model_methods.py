"""The methods that publish models, in the manner of those for kernels (see `methods`); `showing` has the others.

CreateModel makes a model without files, CreateModelInstance its files in one framework (their first version),
CreateModelInstanceVersion the next. Files come before, each through StartBlobUpload and PUTs to the URL that it gives
(`blobs`). What creates answers HTTP 200 with an `error` where it says no. The service needs a while until a new
version is seen; here it is seen at once, unless the fault `unseen` says otherwise.
"""

from collections.abc import Callable
from typing import Any

from kagglesdk.blobs.types import blob_api_service as blob_api
from kagglesdk.models.types import model_api_service as api
from kagglesdk.models.types.model_enums import ModelFramework

from local.emulator.model_queries import (
    check_owner,
    download_version,
    find_instance,
    find_model,
    get_instance,
    get_model,
    list_files,
    list_instances,
    list_models,
    list_versions,
)
from local.emulator.service import EmulatorService, Refusal, RpcMethod, Struck
from local.emulator.storage.blobs import Blob
from local.emulator.storage.kernels import number_of
from local.emulator.storage.model_store import FIRST, SLUG
from shared.core.file_names import safe_name

LONGEST_SLUG, LONGEST_TITLE = 50, 50
CONFLICT, INVALID = 409, 400
ABOUT_MODEL = ("title", "subtitle", "is_private", "description", "provenance_sources")
ABOUT_INSTANCE = (
    "overview", "usage", "license_name", "fine_tunable", "training_data", "base_model_instance",
    "external_base_model_url",
)  # fmt: skip

# What a model can be under, as Kaggle's documentation of `model-instance-metadata.json` lists it.
LICENSES = frozenset(
    """
    Apache 2.0
    Attribution 3.0 IGO (CC BY 3.0 IGO)
    Attribution 3.0 Unported (CC BY 3.0)
    Attribution 4.0 International (CC BY 4.0)
    Attribution-NoDerivatives 4.0 International (CC BY-ND 4.0)
    Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)
    Attribution-NonCommercial-NoDerivatives 4.0 International (CC BY-NC-ND 4.0)
    Attribution-NonCommercial-ShareAlike 3.0 IGO (CC BY-NC-SA 3.0 IGO)
    BSD-3-Clause
    CC BY-NC-SA 4.0
    CC BY-SA 3.0
    CC BY-SA 4.0
    CC0: Public Domain
    Community Data License Agreement - Permissive - Version 1.0
    Community Data License Agreement - Sharing - Version 1.0
    GNU Affero General Public License 3.0
    GNU Free Documentation License 1.3
    GNU Lesser General Public License 3.0
    GPL 2
    GPL 3
    MIT
    ODC Attribution License (ODC-By)
    ODC Public Domain Dedication and Licence (PDDL)
    """.strip().split("\n    ")
)


class Problem(Exception):
    """What is said with HTTP 200 and an `error`."""

    def __init__(self, message: str, code: int = INVALID) -> None:
        super().__init__(message)
        self.code = code


def start_upload(service: EmulatorService, request: Any, struck: Struck) -> blob_api.ApiStartBlobUploadResponse:
    """Reserves a place for a file, and says where its bytes go."""
    if request.type != blob_api.ApiBlobType.MODEL:
        raise Refusal(501, "This emulator takes files of models alone")
    name, size = request.name or "", request.content_length or 0
    if not safe_name(name) or "/" in name or size < 0:
        raise Refusal(400, f"A file named '{name[:100]}' of {size} bytes cannot be taken")
    blob = service.blobs.begin(name, size)
    response = blob_api.ApiStartBlobUploadResponse()
    response.token, response.create_url = blob.token, service.base + blob.location
    return response


def answered(
    create: Callable[[EmulatorService, Any], tuple[str, int]],
) -> Callable[[EmulatorService, Any, Struck], Any]:
    """A method that creates, one at a time: gives the ref and the id of what it made, or raises Problem."""

    def method(service: EmulatorService, request: Any, struck: Struck) -> api.ApiCreateModelResponse:
        response = api.ApiCreateModelResponse()
        try:
            with service.saving:
                response.ref, response.id = create(service, request)
            response.url = f"{service.base}/models/{response.ref}"
        except Problem as problem:
            response.error, response.error_code = str(problem), problem.code
        return response

    return method


def create_model(service: EmulatorService, request: Any) -> tuple[str, int]:
    """A model without files."""
    owner, slug = request.owner_slug or "", request.slug or ""
    check_owner(service, owner, "models.create")
    check_slug(slug)
    if not 0 < len(request.title or "") <= LONGEST_TITLE:
        raise Problem(f"The title must be between 1 and {LONGEST_TITLE} characters")
    if service.models.model(owner, slug):
        raise Problem(f"A model with the slug '{slug}' already exists", CONFLICT)
    model = service.models.place(owner, slug)
    model.describe({name: getattr(request, name) for name in ABOUT_MODEL})
    return model.ref, model.id


def create_instance(service: EmulatorService, request: Any) -> tuple[str, int]:
    """What a model is in one framework, with its first version."""
    model, body = find_model(service, request, "models.update"), request.body
    if body is None or body.framework == ModelFramework.MODEL_FRAMEWORK_UNSPECIFIED:
        raise Problem("The framework must be specified")
    check_slug(body.instance_slug or "")
    if body.license_name and body.license_name not in LICENSES:
        raise Problem(f"The license '{body.license_name}' is not known")
    ref = f"{model.ref}/{body.framework.name}/{body.instance_slug}"
    if model.instance(body.framework.name, body.instance_slug):
        raise Problem(f"A model instance '{ref}' already exists", CONFLICT)
    about = {name: getattr(body, name) for name in ABOUT_INSTANCE}
    model.add(body.framework.name, body.instance_slug, about, blobs_of(service, body.files))
    return f"{ref}/1", number_of(FIRST, ref)


def create_version(service: EmulatorService, request: Any) -> tuple[str, int]:
    """The next version of an instance."""
    instance, body = find_instance(service, request, "models.update"), request.body
    if body is None:
        raise Problem("The files must be specified")
    version = instance.add(blobs_of(service, body.files), body.version_notes or "")
    return version.name, number_of(FIRST, version.name)


def blobs_of(service: EmulatorService, files: list[Any]) -> list[Blob]:
    """What the tokens stand for; Problem where nothing does, not all of it came, or two are called the same."""
    blobs = [service.blobs.of(file.token or "") for file in files or []]
    complete = [blob for blob in blobs if blob and blob.complete]
    if not complete or len(complete) < len(blobs):
        raise Problem("A file's upload token is not valid, or its upload was not finished")
    if len({blob.name for blob in complete}) < len(complete):
        raise Problem("Two files have the same name")
    return complete


def check_slug(slug: str) -> None:
    """Problem for what cannot be part of a URL."""
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise Problem(f"The slug '{slug[:100]}' must be lower-case letters and digits with hyphens between them")


def updated(about: dict[str, Any], request: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What is said, with what the request's mask names in its place."""
    paths = set(request.update_mask.paths) if request.update_mask else set()
    return about | {name: getattr(request, name) for name in names if name in paths}


def update_model(service: EmulatorService, request: Any, struck: Struck) -> api.ApiUpdateModelResponse:
    """Says something else of a model."""
    with service.saving:
        model = find_model(service, request, "models.update")
        model.describe(updated(model.about, request, ABOUT_MODEL))
    response = api.ApiUpdateModelResponse()
    response.id, response.ref, response.url = model.id, model.ref, f"{service.base}/models/{model.ref}"
    return response


def delete_model(service: EmulatorService, request: Any, struck: Struck) -> api.ApiDeleteModelResponse:
    """Removes a model with all its instances."""
    with service.saving:
        service.models.delete(find_model(service, request, "models.delete").folder)
    return api.ApiDeleteModelResponse()


def delete_instance(service: EmulatorService, request: Any, struck: Struck) -> api.ApiDeleteModelResponse:
    """Removes an instance with all its versions."""
    with service.saving:
        service.models.delete(find_instance(service, request, "models.delete").folder)
    return api.ApiDeleteModelResponse()


MODELS = "models.ModelApiService"
METHODS = {
    "blobs.BlobApiService/StartBlobUpload": RpcMethod(blob_api.ApiStartBlobUploadRequest, start_upload),
    f"{MODELS}/CreateModel": RpcMethod(api.ApiCreateModelRequest, answered(create_model)),
    f"{MODELS}/CreateModelInstance": RpcMethod(api.ApiCreateModelInstanceRequest, answered(create_instance)),
        f"{MODELS}/CreateModelInstanceVersion": RpcMethod( api.ApiCreateModelInstanceVersionRequest,
        answered(create_version) ),
    f"{MODELS}/GetModel": RpcMethod(api.ApiGetModelRequest, get_model),
    f"{MODELS}/GetModelInstance": RpcMethod(api.ApiGetModelInstanceRequest, get_instance),
    f"{MODELS}/ListModels": RpcMethod(api.ApiListModelsRequest, list_models),
    f"{MODELS}/ListModelInstances": RpcMethod(api.ApiListModelInstancesRequest, list_instances),
    f"{MODELS}/ListModelInstanceVersions": RpcMethod(api.ApiListModelInstanceVersionsRequest, list_versions),
    f"{MODELS}/ListModelInstanceVersionFiles": RpcMethod(api.ApiListModelInstanceVersionFilesRequest, list_files),
    f"{MODELS}/DownloadModelInstanceVersion": RpcMethod(api.ApiDownloadModelInstanceVersionRequest, download_version),
    f"{MODELS}/UpdateModel": RpcMethod(api.ApiUpdateModelRequest, update_model),
    f"{MODELS}/DeleteModel": RpcMethod(api.ApiDeleteModelRequest, delete_model),
    f"{MODELS}/DeleteModelInstance": RpcMethod(api.ApiDeleteModelInstanceRequest, delete_instance),
}  # fmt: skip
