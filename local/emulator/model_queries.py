"""The methods that show published models: what is said of them, their instances, versions and files.

`publishing` makes them, and has the table of all methods about models.
"""

from typing import Any

from kagglesdk.models.types import model_api_service as api
from kagglesdk.models.types import model_types as types
from kagglesdk.models.types.model_enums import ModelFramework

from local.emulator.service import EmulatorService, Redirect, Refusal, Struck, denied, moment, page
from local.emulator.storage.kernels import number_of
from local.emulator.storage.model_store import ARCHIVE, FIRST, Instance, ModelVersion, StoredModel


def check_owner(service: EmulatorService, owner: str, permission: str) -> None:
    if owner != service.username:
        raise denied(permission)


def find_model(service: EmulatorService, request: Any, permission: str = "models.get") -> StoredModel:
    """The model; Refusal for one that does not exist, or is not ours to change."""
    owner, slug = request.owner_slug or service.username, request.model_slug or ""
    if permission != "models.get":
        check_owner(service, owner, permission)
    model = service.models.model(owner, slug)
    if model is None:
        raise Refusal(404, f"Model '{owner}/{slug}' was not found")
    return model


def find_instance(service: EmulatorService, request: Any, permission: str = "models.get") -> Instance:
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


def find_version(service: EmulatorService, request: Any) -> ModelVersion:
    """The version asked for, the latest where none is."""
    instance = find_instance(service, request)
    for version in reversed(instance.versions()):
        if version.number == (request.version_number or version.number):
            return version
    raise Refusal(404, f"Version {request.version_number} was not found")


def get_model(service: EmulatorService, request: Any, struck: Struck) -> api.ApiModel:
    """What is said of a model, and its instances."""
    return described(service, find_model(service, request))


def described(service: EmulatorService, model: StoredModel) -> api.ApiModel:
    item = api.ApiModel()
    item.id, item.ref, item.slug, item.author = model.id, model.ref, model.slug, model.owner
    item.url = f"{service.base}/models/{model.ref}"
    fill(item, model.about)
    item.instances = [instance_told(service, model, one, one.versions()[-1]) for one in model.instances()]
    return item


def get_instance(service: EmulatorService, request: Any, struck: Struck) -> api.ApiModelInstance:
    """What is said of an instance, and the number of its latest version."""
    instance = find_instance(service, request)
    return instance_told(service, find_model(service, request), instance, seen(instance, struck)[-1])


def instance_told(
    service: EmulatorService, model: StoredModel, instance: Instance, version: ModelVersion
) -> api.ApiModelInstance:
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


def list_models(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListModelsResponse:
    """The models; `search` looks into titles, `owner` is whose."""
    words, owner = (request.search or "").lower(), request.owner or service.username
    found = [
        one for one in service.models.models() if one.owner == owner and words in (one.about["title"] or "").lower()
    ]
    items, token = page(found, request.page_size, request.page_token)
    response = api.ApiListModelsResponse()
    response.models = [described(service, one) for one in items]
    response.total_results, response.next_page_token = len(found), token or ""
    return response


def list_instances(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListModelInstancesResponse:
    """A model's instances, each with its latest version."""
    model = find_model(service, request)
    items, token = page(model.instances(), request.page_size, request.page_token)
    response = api.ApiListModelInstancesResponse()
    response.instances = [listed(model, one) for one in items]
    response.next_page_token = token or ""
    return response


def listed(model: StoredModel, instance: Instance) -> types.ModelInstance:
    item, version = types.ModelInstance(), instance.versions()[-1]
    item.owner_slug, item.model_slug, item.slug = model.owner, model.slug, instance.folder.name
    item.framework, item.version_number = ModelFramework[instance.framework], version.number
    item.version_notes = version.about["notes"]
    item.overview, item.usage = instance.about["overview"] or "", instance.about["usage"] or ""
    item.total_uncompressed_bytes = sum(path.stat().st_size for path in version.files().values())
    return item


def list_versions(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListModelInstanceVersionsResponse:
    """An instance's versions, the latest first."""
    model, instance = find_model(service, request), find_instance(service, request)
    items, token = page(instance.versions()[::-1], request.page_size, request.page_token)
    response = api.ApiListModelInstanceVersionsResponse()
    response.version_list = types.ModelInstanceVersionList()
    response.version_list.versions = [version_listed(model, instance, one) for one in items]
    response.next_page_token = token or ""
    return response


def version_listed(model: StoredModel, instance: Instance, version: ModelVersion) -> types.ModelInstanceVersion:
    item = types.ModelInstanceVersion()
    item.id, item.version_number = number_of(FIRST, version.name), version.number
    item.owner_slug, item.model_slug, item.variation_slug = model.owner, model.slug, instance.folder.name
    item.framework, item.model_title = ModelFramework[instance.framework], model.about["title"]
    item.is_private = bool(model.about["is_private"])
    return item


def list_files(service: EmulatorService, request: Any, struck: Struck) -> api.ApiListModelInstanceVersionFilesResponse:
    """Names, sizes and dates of a version's files."""
    version = find_version(service, request)
    items, token = page(list(version.files().items()), request.page_size, request.page_token)
    response = api.ApiListModelInstanceVersionFilesResponse()
    response.files = [api.ApiModelFile() for _ in items]
    for file, (name, path) in zip(response.files, items, strict=True):
        file.name, file.size, file.creation_date = name, path.stat().st_size, moment(version.about["created"])
    response.next_page_token = token or ""
    return response


def download_version(service: EmulatorService, request: Any, struck: Struck) -> Redirect:
    """Where one file is, or, without a path, where all of them are as one tar.gz."""
    version = find_version(service, request)
    name = request.path or ARCHIVE
    if request.path and request.path not in version.files():
        raise Refusal(404, f"'{request.path}' was not found in {version.name}")
    return Redirect(service.signer.sign(f"{FIRST}/{version.name}/{name}"))
