"""What the service refuses, and how it says so.

Two kinds: `Refusal` is an HTTP error; `problem_with` returns the text of a push that is refused with HTTP 200
and an `error` in the answer. The wording is the service's own where it is publicly known, else in its manner.
"""

import json
import re
from typing import Any

from kagglesdk.kernels.types.kernels_api_service import ApiSaveKernelRequest

NAME_LENGTH = range(5, 51)
NOTEBOOK_BYTES = 1_000_000
SESSION_SECONDS = 12 * 3600
CAPACITY = {"GPU": 2, "CPU": 5}
STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    416: "OUT_OF_RANGE",
    501: "UNIMPLEMENTED",
}


class Refusal(Exception):
    """An HTTP error of the service; `bare` ones have no body at all."""

    def __init__(self, code: int, message: str, *, bare: bool = False) -> None:
        super().__init__(message)
        self.code, self.message, self.bare = code, message, bare

    def body(self) -> dict[str, Any]:
        """The service's error body."""
        status = STATUS_NAMES.get(self.code, "INTERNAL")
        return {"error": {"code": self.code, "message": self.message, "status": status}}


def denied(permission: str = "kernels.get") -> Refusal:
    """The answer for what is somebody else's, and for what does not exist: the service does not tell which."""
    return Refusal(403, f"Permission '{permission}' was denied")


def version_number(label: str | None) -> int | None:
    """`v2` is 2, nothing is None (the current version); all else, a bare `2` too, is a 404."""
    if not label:
        return None
    match = re.fullmatch(r"v([1-9]\d*)", label)
    if match is None:
        raise Refusal(404, f"Version label '{label}' was not found")
    return int(match[1])


def wants_gpu(request: ApiSaveKernelRequest) -> bool:
    """Whether a push takes GPU quota; `machine_shape` counts before `enable_gpu`."""
    shape = request.machine_shape or ""
    return shape.startswith("Nvidia") if shape else bool(request.enable_gpu)


def problem_with_source(request: ApiSaveKernelRequest) -> str | None:
    """What is wrong with the pushed text itself, or None."""
    if request.language != "python":
        return f"The language '{request.language}' is not supported by this emulator."
    if request.kernel_type not in ("notebook", "script"):
        return f"The kernel type '{request.kernel_type}' is not valid."
    if request.kernel_type == "notebook":
        try:
            notebook = json.loads(request.text or "")
        except ValueError:
            return "The notebook source is not valid JSON."
        if not isinstance(notebook, dict) or "cells" not in notebook:
            return "The notebook source has no cells."
    return None


def problem_with_names(title: str, slug: str) -> str | None:
    """What is wrong with a title and the slug it is to be filed under, or None."""
    low, high = NAME_LENGTH[0], NAME_LENGTH[-1]
    if len(title) not in NAME_LENGTH:
        return f"The title must be between {low} and {high} characters."
    if len(slug) not in NAME_LENGTH:
        return f"The slug must be between {low} and {high} characters."
    return None


def problem_with_capacity(gpu: bool, running: dict[str, int], used: float, allowed: float) -> str | None:
    """Whether one more session fits: `running` counts them by kind, `used` and `allowed` are GPU seconds."""
    kind = "GPU" if gpu else "CPU"
    if running[kind] >= CAPACITY[kind]:
        return f"Maximum batch {kind} session count of {CAPACITY[kind]} reached."
    if gpu and used >= allowed:
        return f"Maximum weekly GPU quota of {allowed / 3600:.2f} hours reached."
    return None


def as_notebook(script: str) -> str:
    """A pushed script as a notebook of one cell, which is how it is executed here."""
    cell: dict[str, Any] = {"cell_type": "code", "id": "script", "source": script, "outputs": []}
    cell |= {"execution_count": None, "metadata": {}}
    kernelspec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernelspec}, "cells": [cell]}
    return json.dumps(notebook)
