"""What a service says no with, and what fails on the way to it, as errors told apart by what can be done about them.

    KernelError
    ├── MissingError            no such kernel or version there, or not ours
    ├── RefusedError            it said no; nothing was changed there
    │   ├── ConflictError           what was to be made is there already
    │   └── CapacityError           no room just now: the same push may be taken later
    │       └── QuotaError              no GPU time is left this week
    └── ServiceError
        ├── OutOfReachError     it cannot be reached at all just now
        ├── UntoldError         it failed over a question, or its answer cannot be read
        └── PushLostError       the answer to a push never came: ask before pushing again

    raise refusal(response, "the push of k2l-torch")     # of what makes something
    raise failure(response, what, label="Kaggle", username="me")

The service's own words are in each. Asks nothing and repeats nothing: that is `client` and `wire`.
"""

import re
from datetime import datetime

import requests

from local.kernels import credentials
from local.kernels.wire import service_words
from shared.errors import CredentialsError, KernelError, RefusedError, ServiceError

CONFLICT, FULL = 409, 507


class MissingError(KernelError):
    """No such kernel or version there, or not ours to see: the service does not tell which."""


class ConflictError(RefusedError):
    """What was to be made is there already, or its name is taken."""


class CapacityError(RefusedError):
    """No room for another run just now. Nothing was saved, and the same push may be taken later."""


class QuotaError(CapacityError):
    """No GPU time is left this week; `refresh` (UTC) is when it starts anew, where that is known."""

    def __init__(self, message: str, *, refresh: datetime | None = None) -> None:
        super().__init__(message)
        self.refresh = refresh


class OutOfReachError(ServiceError):
    """The service cannot be reached at all just now."""


class UntoldError(ServiceError):
    """The service failed over this question, or its answer cannot be read."""


class PushLostError(ServiceError):
    """The answer to a push never came: it may have arrived or not. Ask before pushing again."""


# What the service says where a push has to wait, and nothing else is wrong with it.
PASSING: tuple[tuple[re.Pattern[str], type[CapacityError]], ...] = (
    (re.compile(r"session count of \d+ reached", re.IGNORECASE), CapacityError),
    (re.compile(r"weekly .*quota.* reached", re.IGNORECASE), QuotaError),
)


def refused(message: str) -> RefusedError:
    """The refusal that these words stand for."""
    kinds = (kind for words, kind in PASSING if words.search(message))
    return next(kinds, RefusedError)(message)


def refusal(response: requests.Response | None, what: str) -> KernelError:
    """A push, or its like, answered with an HTTP error: below 500 nothing was saved; from there on nobody knows."""
    said = service_words(response)
    code = response.status_code if response is not None else 500
    if code == 401:
        return CredentialsError(f"{what} was not accepted: {said} {credentials.HOW}")
    if code == CONFLICT:
        return ConflictError(f"{what} was refused: {said}")
    if code < 500 or code == FULL:  # without room nothing was saved
        return refused(f"{what} was refused: {said}")
    return PushLostError(f"the service failed during {what}: {said}")


def failure(response: requests.Response | None, what: str, *, label: str, username: str) -> KernelError:
    """A question answered with an HTTP error; it may be asked again."""
    said = service_words(response)
    code = response.status_code if response is not None else 0
    if code == 401:
        return CredentialsError(f"{label} does not accept the credentials of {username!r}: {said} {credentials.HOW}")
    if code in (403, 404):
        return MissingError(f"{label} has no {what}, or it is not yours: {said}")
    if code == FULL:
        return ServiceError(f"{label} has no room for {what}: {said} The same command goes on.")
    return UntoldError(f"{label} failed over {what}: {said} The same command goes on.")
