"""The methods that publish and show models, in the manner of those for kernels: see `methods`.

CreateModel makes a model without files, CreateModelInstance its files in one framework (their first version),
CreateModelInstanceVersion the next. Files come before, each through StartBlobUpload and PUTs to the URL that it gives
(`blobs`). What creates answers HTTP 200 with an `error` where it says no. The service needs a while until a new
version is seen; here it is seen at once, unless the fault `unseen` says otherwise.
"""

from collections.abc import Callable
from typing import Any

from kagglesdk.blobs.types import blob_api_service as blob_api
from kagglesdk.models.types import model_api_service as api
from kagglesdk.models.types import model_types as types
from kagglesdk.models.types.model_enums import ModelFramework

from local.kernels.emulator.blobs import Blob
from local.kernels.emulator.gallery import ARCHIVE, FIRST, SLUG, Instance, Model, ModelVersion
from local.kernels.emulator.kernel import number_of
from local.kernels.emulator.service import Method, Redirect, Refusal, Service, Struck, denied, moment, page
from local.kernels.parcel import LICENSES
from shared.manifest import safe_name

LONGEST_SLUG, LONGEST_TITLE = 50, 50
CONFLICT, INVALID = 409, 400
ABOUT_MODEL = ("title", "subtitle", "is_private", "description", "provenance_sources")
ABOUT_INSTANCE = (
    "overview", "usage", "license_name", "fine_tunable", "training_data", "base_model_instance",
    "external_base_model_url",
)  # fmt: skip


class Problem(Exception):
    """What is said with HTTP 200 and an `error`."""

    def __init__(self, message: str, code: int = INVALID) -> None:
        super().__init__(message)
        self.code = code


def start_upload(service: Service, request: Any, struck: Struck) -> blob_api.ApiStartBlobUploadResponse:
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


def answered(create: Callable[[Service, Any], tuple[str, int]]) -> Callable[[Service, Any, Struck], Any]:
    """A method that creates, one at a time: gives the ref and the id of what it made, or raises Problem."""

    def method(service: Service, request: Any, struck: Struck) -> api.ApiCreateModelResponse:
        response = api.ApiCreateModelResponse()
        try:
            with service.saving:
                response.ref, response.id = create(service, request)
            response.url = f"{service.base}/models/{response.ref}"
        except Problem as problem:
            response.error, response.error_code = str(problem), problem.code
        return response

    return method


def create_model(service: Service, request: Any) -> tuple[str, int]:
    """A model without files."""
    owner, slug = request.owner_slug or "", request.slug or ""
    check_owner(service, owner, "models.create")
    check_slug(slug)
    if not 0 < len(request.title or "") <= LONGEST_TITLE:
        raise Problem(f"The title must be between 1 and {LONGEST_TITLE} characters")
    if service.gallery.model(owner, slug):
        raise Problem(f"A model with the slug '{slug}' already exists", CONFLICT)
    model = service.gallery.place(owner, slug)
    model.describe({name: getattr(request, name) for name in ABOUT_MODEL})
    return model.ref, model.id


def create_instance(service: Service, request: Any) -> tuple[str, int]:
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


def create_version(service: Service, request: Any) -> tuple[str, int]:
    """The next version of an instance."""
    instance = find_instance(service, request, "models.update")
    version = instance.add(blobs_of(service, request.body.files), request.body.version_notes or "")
    return version.name, number_of(FIRST, version.name)


def blobs_of(service: Service, files: list[Any]) -> list[Blob]:
    """What the tokens stand for; Problem where nothing does, not all of it came, or two are called the same."""
    blobs = [service.blobs.of(file.token or "") for file in files or []]
    whole = [blob for blob in blobs if blob and blob.whole]
    if not whole or len(whole) < len(blobs):
        raise Problem("A file's upload token is not valid, or its upload was not finished")
    if len({blob.name for blob in whole}) < len(whole):
        raise Problem("Two files have the same name")
    return whole


def check_owner(service: Service, owner: str, permission: str) -> None:
    if owner != service.username:
        raise denied(permission)


def check_slug(slug: str) -> None:
    """Problem for what cannot be part of a URL."""
    if not SLUG.fullmatch(slug) or len(slug) > LONGEST_SLUG:
        raise Problem(f"The slug '{slug[:100]}' must be lower-case letters and digits with hyphens between them")


def find_model(service: Service, request: Any, permission: str = "models.get") -> Model:
    """The model; Refusal for one that does not exist, or is not ours to change."""
    owner, slug = request.owner_slug or service.username, request.model_slug or ""
    if permission != "models.get":
        check_owner(service, owner, permission)
    model = service.gallery.model(owner, slug)
    if model is None:
        raise Refusal(404, f"Model '{owner}/{slug}' was not found")
    return model


def find_instance(service: Service, request: Any, permission: str = "models.get") -> Instance:
    """The instance, or the refusal for one that does not exist."""
    model = find_model(service, request, permission)
    instance = model.instance(request.framework.name, request.instance_slug or "")
    if instance is None:
        raise Refusal(404, f"'{model.ref}/{request.framework.name}/{request.instance_slug}' was not found")
    return instance


def seen(instance: Instance, struck: Struck) -> list[ModelVersion]:
    """The versions that can be seen, the latest last; Refusal where that is none."""
    versions = instance.versions()[: -1 if "unseen" in struck else None]
    if not versions:
        raise Refusal(404, "No version of it is ready yet")
    return versions


def find_version(service: Service, request: Any) -> ModelVersion:
    """The version asked for, the latest where none is."""
    instance = find_instance(service, request)
    for version in reversed(instance.versions()):
        if version.number == (request.version_number or version.number):
            return version
    raise Refusal(404, f"Version {request.version_number} was not found")


def get_model(service: Service, request: Any, struck: Struck) -> api.ApiModel:
    """What is said of a model, and its instances."""
    return told(service, find_model(service, request))


def told(service: Service, model: Model) -> api.ApiModel:
    item = api.ApiModel()
    item.id, item.ref, item.slug, item.author = model.id, model.ref, model.slug, model.owner
    item.url = f"{service.base}/models/{model.ref}"
    fill(item, model.about)
    item.instances = [instance_told(service, model, one, one.versions()[-1]) for one in model.instances()]
    return item


def get_instance(service: Service, request: Any, struck: Struck) -> api.ApiModelInstance:
    """What is said of an instance, and the number of its latest version."""
    instance = find_instance(service, request)
    return instance_told(service, find_model(service, request), instance, seen(instance, struck)[-1])


def instance_told(service: Service, model: Model, instance: Instance, version: ModelVersion) -> api.ApiModelInstance:
    item = api.ApiModelInstance()
    item.id, item.slug = number_of(FIRST, *instance.folder.parts[-4:]), instance.folder.name
    item.framework, item.version_number = ModelFramework[instance.framework], version.number
    item.version_id = number_of(FIRST, version.name)
    item.url = f"{service.base}/models/{version.name}"
    item.total_uncompressed_bytes = sum(path.stat().st_size for path in version.files().values())
    fill(item, {name: value for name, value in instance.about.items() if name != "base_model_instance"})
    return item


def fill(item: Any, about: dict[str, Any]) -> None:
    """What was said, under the same names."""
    for name, value in about.items():
        if value is not None:
            setattr(item, name, value)


def list_models(service: Service, request: Any, struck: Struck) -> api.ApiListModelsResponse:
    """The models; `search` looks into titles, `owner` is whose."""
    words, owner = (request.search or "").lower(), request.owner or service.username
    found = [
        one for one in service.gallery.models() if one.owner == owner and words in (one.about["title"] or "").lower()
    ]
    items, token = page(found, request.page_size, request.page_token)
    response = api.ApiListModelsResponse()
    response.models = [told(service, one) for one in items]
    response.total_results, response.next_page_token = len(found), token or ""
    return response


def list_instances(service: Service, request: Any, struck: Struck) -> api.ApiListModelInstancesResponse:
    """A model's instances, each with its latest version."""
    model = find_model(service, request)
    items, token = page(model.instances(), request.page_size, request.page_token)
    response = api.ApiListModelInstancesResponse()
    response.instances = [listed(model, one) for one in items]
    response.next_page_token = token or ""
    return response


def listed(model: Model, instance: Instance) -> types.ModelInstance:
    item, version = types.ModelInstance(), instance.versions()[-1]
    item.owner_slug, item.model_slug, item.slug = model.owner, model.slug, instance.folder.name
    item.framework, item.version_number = ModelFramework[instance.framework], version.number
    item.version_notes = version.about["notes"]
    item.overview, item.usage = instance.about["overview"] or "", instance.about["usage"] or ""
    item.total_uncompressed_bytes = sum(path.stat().st_size for path in version.files().values())
    return item


def list_versions(service: Service, request: Any, struck: Struck) -> api.ApiListModelInstanceVersionsResponse:
    """An instance's versions, the latest first."""
    model, instance = find_model(service, request), find_instance(service, request)
    items, token = page(instance.versions()[::-1], request.page_size, request.page_token)
    response = api.ApiListModelInstanceVersionsResponse()
    response.version_list = types.ModelInstanceVersionList()
    response.version_list.versions = [version_listed(model, instance, one) for one in items]
    response.next_page_token = token or ""
    return response


def version_listed(model: Model, instance: Instance, version: ModelVersion) -> types.ModelInstanceVersion:
    item = types.ModelInstanceVersion()
    item.id, item.version_number = number_of(FIRST, version.name), version.number
    item.owner_slug, item.model_slug, item.variation_slug = model.owner, model.slug, instance.folder.name
    item.framework, item.model_title = ModelFramework[instance.framework], model.about["title"]
    item.is_private = bool(model.about["is_private"])
    return item


def list_files(service: Service, request: Any, struck: Struck) -> api.ApiListModelInstanceVersionFilesResponse:
    """Names, sizes and dates of a version's files."""
    version = find_version(service, request)
    items, token = page(list(version.files().items()), request.page_size, request.page_token)
    response = api.ApiListModelInstanceVersionFilesResponse()
    response.files = [api.ApiModelFile() for _ in items]
    for file, (name, path) in zip(response.files, items, strict=True):
        file.name, file.size, file.creation_date = name, path.stat().st_size, moment(version.about["created"])
    response.next_page_token = token or ""
    return response


def download_version(service: Service, request: Any, struck: Struck) -> Redirect:
    """Where one file is, or, without a path, where all of them are as one tar.gz."""
    version = find_version(service, request)
    name = request.path or ARCHIVE
    if request.path and request.path not in version.files():
        raise Refusal(404, f"'{request.path}' was not found in {version.name}")
    return Redirect(service.signer.sign(f"{FIRST}/{version.name}/{name}"))


def updated(about: dict[str, Any], request: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What is said, with what the request's mask names in its place."""
    paths = set(request.update_mask.paths) if request.update_mask else set()
    return about | {name: getattr(request, name) for name in names if name in paths}


def update_model(service: Service, request: Any, struck: Struck) -> api.ApiUpdateModelResponse:
    """Says something else of a model."""
    with service.saving:
        model = find_model(service, request, "models.update")
        model.describe(updated(model.about, request, ABOUT_MODEL))
    response = api.ApiUpdateModelResponse()
    response.id, response.ref, response.url = model.id, model.ref, f"{service.base}/models/{model.ref}"
    return response


def delete_model(service: Service, request: Any, struck: Struck) -> api.ApiDeleteModelResponse:
    """Removes a model with all its instances."""
    with service.saving:
        service.gallery.delete(find_model(service, request, "models.delete").folder)
    return api.ApiDeleteModelResponse()


def delete_instance(service: Service, request: Any, struck: Struck) -> api.ApiDeleteModelResponse:
    """Removes an instance with all its versions."""
    with service.saving:
        service.gallery.delete(find_instance(service, request, "models.delete").folder)
    return api.ApiDeleteModelResponse()


MODELS = "models.ModelApiService"
METHODS = {
    "blobs.BlobApiService/StartBlobUpload": Method(blob_api.ApiStartBlobUploadRequest, start_upload),
    f"{MODELS}/CreateModel": Method(api.ApiCreateModelRequest, answered(create_model)),
    f"{MODELS}/CreateModelInstance": Method(api.ApiCreateModelInstanceRequest, answered(create_instance)),
    f"{MODELS}/CreateModelInstanceVersion": Method(api.ApiCreateModelInstanceVersionRequest, answered(create_version)),
    f"{MODELS}/GetModel": Method(api.ApiGetModelRequest, get_model),
    f"{MODELS}/GetModelInstance": Method(api.ApiGetModelInstanceRequest, get_instance),
    f"{MODELS}/ListModels": Method(api.ApiListModelsRequest, list_models),
    f"{MODELS}/ListModelInstances": Method(api.ApiListModelInstancesRequest, list_instances),
    f"{MODELS}/ListModelInstanceVersions": Method(api.ApiListModelInstanceVersionsRequest, list_versions),
    f"{MODELS}/ListModelInstanceVersionFiles": Method(api.ApiListModelInstanceVersionFilesRequest, list_files),
    f"{MODELS}/DownloadModelInstanceVersion": Method(api.ApiDownloadModelInstanceVersionRequest, download_version),
    f"{MODELS}/UpdateModel": Method(api.ApiUpdateModelRequest, update_model),
    f"{MODELS}/DeleteModel": Method(api.ApiDeleteModelRequest, delete_model),
    f"{MODELS}/DeleteModelInstance": Method(api.ApiDeleteModelInstanceRequest, delete_instance),
}  # fmt: skip
