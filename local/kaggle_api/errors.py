"""The refusals of a service, and failures to reach it, as errors that differ by what the user can do.

    KernelError
    ├── MissingError            no such kernel or version there, or not ours
    ├── RefusedError            it refused; nothing was changed there
    │   ├── ConflictError           what was to be created exists already
    │   └── CapacityError           no capacity now: the same push may be accepted later
    │       ├── QuotaError              no GPU time is left this week
    │       └── BusyError               too many requests for now (HTTP 429)
    └── ServiceError
        ├── UnreachableError     it cannot be reached now
        ├── UnansweredError         it failed to answer a request, or its answer cannot be read
        │   └── TooManyRequestsError      too many requests for now (HTTP 429)
        └── PushLostError       the answer to a push never arrived: ask before you push again
            └── PushFailedError         the service failed during a push (HTTP 500 and above)

    raise refusal(response, "the push of k2l-torch", who=who)     # for a call that creates something
    raise failure(response, what, label="Kaggle", who=who)
    raise unreached(error, "Kaggle cannot be reached")

Each has the service's own message. This module makes no calls: that is for `client` and `http`.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import requests

from local.kaggle_api import certificates, credentials
from local.kaggle_api.http import cause, retry_after, service_words
from shared.core.errors import CredentialsError, KernelError, RefusedError, ServiceError

CONFLICT, TOO_MANY, FULL = 409, 429, 507


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Our identity for a service: the user's name, and where the credentials were read."""

    username: str
    origin: str


class MissingError(KernelError):
    """No such kernel or version there, or not visible to us: the service does not say which."""


class ConflictError(RefusedError):
    """What was to be created exists already, or its name is taken."""


class CapacityError(RefusedError):
    """No capacity for another run now. Nothing was saved, and the same push may be accepted later.

    `refresh` (UTC) is when it will be accepted, if that is known.
    """

    def __init__(self, message: str, *, refresh: datetime | None = None) -> None:
        super().__init__(message)
        self.refresh = refresh


class QuotaError(CapacityError):
    """No GPU time is left this week; `refresh` is when it is renewed."""


class BusyError(CapacityError):
    """The service accepts no more requests for now; `refresh` is when it asks us to try again."""


class UnreachableError(ServiceError):
    """The service cannot be reached now."""


class UnansweredError(ServiceError):
    """The service failed to answer this request, or its answer cannot be read."""


class TooManyRequestsError(UnansweredError):
    """The service accepts no more requests for now; `wait` is the seconds until it asks us to try again, or 0."""

    def __init__(self, message: str, *, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class PushLostError(ServiceError):
    """The answer to a push never arrived: the push may have arrived or not. Ask before you push again."""


class PushFailedError(PushLostError):
    """The service failed during a push. If it does so each time, the push may be at fault."""


# What the service says if a push must wait, and nothing else is wrong with it.
PASSING: tuple[tuple[re.Pattern[str], type[CapacityError]], ...] = (
    (re.compile(r"session count of \d+ reached", re.IGNORECASE), CapacityError),
    (re.compile(r"weekly .*quota.* reached", re.IGNORECASE), QuotaError),
)


# Unclear messages of the service about a push, with what to do; {ref} is the notebook's owner and slug.
UNCLEAR: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(notebook|kernel) not found|^not found", re.IGNORECASE),
        "It says so if {ref} is a draft that was never saved (save a version at kaggle.com/code/{ref}/edit), is "
        "another owner's (k2l doctor shows whose credentials were read), or begins with a digit. Or use another name: "
        "--slug NAME.",
    ),
)


def refused(message: str, said: str, *, ref: str = "") -> RefusedError:
    """The refusal for this message of the service, with our message, and with what to do if that is known."""
    kind = next((kind for words, kind in PASSING if words.search(said)), RefusedError)
    advice = next((f"\n{do.format(ref=ref)}" for words, do in UNCLEAR if ref and words.search(said)), "")
    return kind(message + advice)


def refusal(response: requests.Response | None, what: str, *, who: Identity, ref: str = "") -> KernelError:
    """A push or similar, answered with an HTTP error: below 500 nothing was saved; from 500 on it is unknown."""
    said = service_words(response)
    code = response.status_code if response is not None else 500
    if code == 401:
        return _rejected(f"{what} was not accepted", said, who)
    if code == CONFLICT:
        return ConflictError(f"{what} was refused: {said}")
    if code == TOO_MANY:
        wait = _wait(response)
        later = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
        when = f" The service asks to try again in {wait:,.0f} s." if wait else ""
        return BusyError(f"{what} was not accepted for now: {said}{when}", refresh=later)
    if code < 500 or code == FULL:  # without space nothing was saved
        return refused(f"{what} was refused: {said}", said, ref=ref)
    return PushFailedError(f"the service failed during {what}: {said}")


def failure(response: requests.Response | None, what: str, *, label: str, who: Identity) -> KernelError:
    """A request answered with an HTTP error; it may be repeated."""
    said = service_words(response)
    code = response.status_code if response is not None else 0
    if code == 401:
        return _rejected(f"{label} does not accept the credentials of {who.username!r}", said, who)
    if code in (403, 404):
        return MissingError(f"{label} has no {what}, or it is not yours: {said}")
    if code == FULL:
        return ServiceError(f"{label} has no space for {what}: {said} Run the same command again to resume.")
    if code == TOO_MANY:
        wait = _wait(response)
        when = f"in {wait:,.0f} s" if wait else "in some minutes"
        return TooManyRequestsError(f"{label} accepts no more requests for now: {said} Try again {when}.", wait=wait)
    return UnansweredError(f"{label} failed to answer about {what}: {said} Run the same command again to resume.")


def unreached(error: requests.RequestException, what: str) -> UnreachableError:
    """A call without any answer."""
    reason = cause(error)
    advice = certificates.advice(reason) or "Check the connection, then run the same command again to resume."
    return UnreachableError(f"{what} ({reason}). {advice}")


def _rejected(message: str, said: str, who: Identity) -> CredentialsError:
    """Credentials that the service refuses: which they are, and how to get others."""
    return CredentialsError(f"{message}: {said} They were read from {who.origin}. {credentials.how()}")


def _wait(response: requests.Response | None) -> float:
    return retry_after(response.headers) if response is not None else 0.0
