"""SaveKernel: a push becomes the next version of its kernel and starts to run, or is refused.

Refused in two ways: by an HTTP error (`Refusal`), or with HTTP 200 and an `error` in the answer, the text that a
`problem_with_…` returns. The wording is the service's own where it is publicly known, else in its manner.
"""

import json
import time
from collections import Counter
from pathlib import Path

from kagglesdk.kernels.types.kernels_api_service import ApiSaveKernelRequest, ApiSaveKernelResponse
from slugify import slugify

from local.emulator.service import EmulatorService, Refusal, Struck, denied
from local.emulator.sessions.folders import remove
from local.emulator.sessions.mounts import copy_tree
from local.emulator.storage import quota
from local.emulator.storage.kernels import Kernel, Version

NAME_LENGTH = range(5, 51)
NOTEBOOK_BYTES = 1_000_000
SESSION_SECONDS = 12 * 3600
CAPACITY = {"GPU": 2, "CPU": 5}


def save_kernel(service: EmulatorService, request: ApiSaveKernelRequest, struck: Struck) -> ApiSaveKernelResponse:
    """Answers with the version's number, or with HTTP 200 and an `error`. Refusal: see `names`; over a megabyte."""
    if (request.session_timeout_seconds or 0) < 0:
        raise Refusal(400, "The session's time limit is not valid")
    if len((request.text or "").encode()) > NOTEBOOK_BYTES:
        raise Refusal(400, "", bare=True)
    response = ApiSaveKernelResponse()
    with service.saving:
        title, slug = names(service, request)
        if "misfiled" in struck:
            title, slug = f"{title} 2", f"{slug}-2"
        problem = (
            problem_with_names(title, slug)
            or problem_with_source(request)
            or problem_with_room(service, struck, gpu=wants_gpu(request))
        )
        if problem:
            response.error = problem
            return response
        request.dataset_data_sources = list(dict.fromkeys(request.dataset_data_sources))
        request.kernel_data_sources = list(dict.fromkeys(request.kernel_data_sources))
        response.invalid_dataset_sources = [
            ref for ref in request.dataset_data_sources if not service.mounts.knows(ref)
        ] + (struck["invalid_sources"].names if "invalid_sources" in struck else [])
        response.invalid_kernel_sources = [ref for ref in request.kernel_data_sources if not kernel_of(service, ref)]
        response.invalid_competition_sources = list(request.competition_data_sources)
        response.invalid_model_sources = list(request.model_data_sources)
        with service.store.undone(service.username, slug):
            version = file(service, request, title, slug)
            service.store.start(version)
    response.ref = f"/code/{service.username}/{slug}"
    response.url = service.base + response.ref
    response.version_number = version.number
    response.kernel_id = service.find(service.username, slug).id
    return response


def names(service: EmulatorService, request: ApiSaveKernelRequest) -> tuple[str, str]:
    """The title, and the slug a push is filed under. Refusal: somebody else's kernel, or names that clash."""
    owner, _, name = (request.slug or "").rpartition("/")
    if owner and owner != service.username:
        raise denied("kernels.update")
    target = target_of(service, request, name)
    title = request.new_title or (target.about["title"] if target else "")
    slug = slugify(title)
    if target and slug != target.slug:
        raise Refusal(409, f"The requested title '{title}' does not belong to the notebook '{target.slug}'.")
    if not target and slug != name and service.store.kernel(service.username, slug):
        raise Refusal(409, f"The requested title '{title}' is already in use by a notebook.")
    # Asked for one slug with the title of another, the service files the kernel under the title's.
    return title, slug if len(name) in NAME_LENGTH or target else name


def target_of(service: EmulatorService, request: ApiSaveKernelRequest, name: str) -> Kernel | None:
    """The kernel that is pushed to, by `id` or by slug; None for a new one."""
    if not request.id:
        return service.store.kernel(service.username, name)
    for kernel in service.store.kernels():
        if kernel.id == request.id:
            return kernel
    raise denied("kernels.update")


def wants_gpu(request: ApiSaveKernelRequest) -> bool:
    """Whether a push takes GPU quota; `machine_shape` counts before `enable_gpu`."""
    shape = request.machine_shape or ""
    return shape.startswith("Nvidia") if shape else bool(request.enable_gpu)


def problem_with_names(title: str, slug: str) -> str | None:
    """What is wrong with a title and the slug it is to be filed under, or None."""
    for what, name in (("title", title), ("slug", slug)):
        if len(name) not in NAME_LENGTH:
            return f"The {what} must be between {NAME_LENGTH[0]} and {NAME_LENGTH[-1]} characters."
    return None


def problem_with_source(request: ApiSaveKernelRequest) -> str | None:
    """What is wrong with the pushed text itself, or None."""
    if request.language != "python":
        return f"The language '{request.language}' is not supported by this emulator."
    if request.kernel_type != "notebook":
        return f"The kernel type '{request.kernel_type}' is not supported by this emulator."
    try:
        notebook = json.loads(request.text or "")
    except (ValueError, RecursionError):
        return "The notebook source is not valid JSON."
    if not isinstance(notebook, dict) or "cells" not in notebook:
        return "The notebook source has no cells."
    return None


def problem_with_room(service: EmulatorService, struck: Struck, *, gpu: bool) -> str | None:
    """Whether a session more would break the capacity or the week's quota."""
    kind = "GPU" if gpu else "CPU"
    running = Counter("GPU" if version.push["gpu"] else "CPU" for version in service.store.live())
    if running[kind] >= CAPACITY[kind] or "no_capacity" in struck:
        return f"Maximum batch {kind} session count of {CAPACITY[kind]} reached."
    if gpu and ("no_quota" in struck or service.store.gpu_seconds(time.time()) >= quota.GPU_SECONDS):
        return f"Maximum weekly GPU quota of {quota.GPU_SECONDS / 3600:.2f} hours reached."
    return None


def kernel_of(service: EmulatorService, ref: str) -> Kernel | None:
    """The kernel that is named as a source, `owner/slug`."""
    owner, _, slug = ref.partition("/")
    return service.store.kernel(owner, slug)


def file(service: EmulatorService, request: ApiSaveKernelRequest, title: str, slug: str) -> Version:
    """Lays out the inputs and files the version."""
    inputs = service.store.state / "parts" / f"{slug}.{time.time_ns()}"
    inputs.mkdir(parents=True)
    try:
        remarks = [
            service.mounts.mount(ref, inputs) for ref in request.dataset_data_sources if service.mounts.knows(ref)
        ]
        for kernel in filter(None, (kernel_of(service, ref) for ref in request.kernel_data_sources)):
            mount_outputs(kernel, inputs)
    except OSError:
        remove(inputs)
        raise
    push = request.to_dict() | {
        "gpu": wants_gpu(request),
        "timeout_seconds": min(request.session_timeout_seconds or SESSION_SECONDS, SESSION_SECONDS),
    }
    del push["text"]
    return service.store.add_version(
        service.username,
        slug,
        title=title,
        source=request.text or "",
        push=push,
        remarks=[remark for remark in remarks if remark],
        inputs=inputs,
    )


def mount_outputs(kernel: Kernel, inputs: Path) -> None:
    """The current outputs of another kernel, as an input; copied, for they may still change."""
    version = kernel.version()
    if version is not None:
        copy_tree(version.outputs(), inputs / "notebooks" / kernel.owner / kernel.slug)
