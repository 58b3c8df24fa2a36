"""What a service says no with, and what fails on the way to it, as errors told apart by what can be done about them.

    KernelError
    ├── MissingError            no such kernel or version there, or not ours
    ├── RefusedError            it said no; nothing was changed there
    │   ├── ConflictError           what was to be made is there already
    │   └── CapacityError           no room just now: the same push may be taken later
    │       ├── QuotaError              no GPU time is left this week
    │       └── BusyError               too many requests for now (HTTP 429)
    └── ServiceError
        ├── OutOfReachError     it cannot be reached at all just now
        ├── UntoldError         it failed over a question, or its answer cannot be read
        │   └── AskedTooOftenError      too many requests for now (HTTP 429)
        └── PushLostError       the answer to a push never came: ask before pushing again
            └── PushFailedError         the service failed over a push (HTTP 500 and above)

    raise refusal(response, "the push of k2l-torch", who=who)     # of what makes something
    raise failure(response, what, label="Kaggle", who=who)
    raise unreached(error, "Kaggle cannot be reached")

The service's own words are in each. Asks nothing and repeats nothing: that is `client` and `wire`.
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
class Who:
    """As whom a service is asked: the user's name, and where the credentials were read."""

    username: str
    origin: str


class MissingError(KernelError):
    """No such kernel or version there, or not ours to see: the service does not tell which."""


class ConflictError(RefusedError):
    """What was to be made is there already, or its name is taken."""


class CapacityError(RefusedError):
    """No room for another run just now. Nothing was saved, and the same push may be taken later.

    `refresh` (UTC) is when it will be taken, where that is known.
    """

    def __init__(self, message: str, *, refresh: datetime | None = None) -> None:
        super().__init__(message)
        self.refresh = refresh


class QuotaError(CapacityError):
    """No GPU time is left this week; `refresh` is when it starts anew."""


class BusyError(CapacityError):
    """The service takes no more requests for now; `refresh` is when it asked to come again."""


class OutOfReachError(ServiceError):
    """The service cannot be reached at all just now."""


class UntoldError(ServiceError):
    """The service failed over this question, or its answer cannot be read."""


class AskedTooOftenError(UntoldError):
    """The service takes no more questions for now; `wait` is the seconds after which it asked to come again, or 0."""

    def __init__(self, message: str, *, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


class PushLostError(ServiceError):
    """The answer to a push never came: it may have arrived or not. Ask before pushing again."""


class PushFailedError(PushLostError):
    """The service failed over a push, in whatever way. Where it does so each time, the push may be at fault."""


# What the service says where a push has to wait, and nothing else is wrong with it.
PASSING: tuple[tuple[re.Pattern[str], type[CapacityError]], ...] = (
    (re.compile(r"session count of \d+ reached", re.IGNORECASE), CapacityError),
    (re.compile(r"weekly .*quota.* reached", re.IGNORECASE), QuotaError),
)


# What the service says of a push in words that leave open what to do; {ref} is the notebook's owner and slug.
UNCLEAR: tuple[tuple[re.Pattern[str], str], ...] = (
    (
        re.compile(r"(notebook|kernel) not found|^not found", re.IGNORECASE),
        "It says so where {ref} is a draft that was never saved (save a version at kaggle.com/code/{ref}/edit), is "
        "another owner's (k2l doctor tells whose credentials were read), or begins with a digit. Or take another name: "
        "--slug NAME.",
    ),
)


def refused(message: str, said: str, *, ref: str = "") -> RefusedError:
    """The refusal that these words of the service stand for, in our message, with what to do where it is known."""
    kind = next((kind for words, kind in PASSING if words.search(said)), RefusedError)
    advice = next((f"\n{do.format(ref=ref)}" for words, do in UNCLEAR if ref and words.search(said)), "")
    return kind(message + advice)


def refusal(response: requests.Response | None, what: str, *, who: Who, ref: str = "") -> KernelError:
    """A push, or its like, answered with an HTTP error: below 500 nothing was saved; from there on nobody knows."""
    said = service_words(response)
    code = response.status_code if response is not None else 500
    if code == 401:
        return _rejected(f"{what} was not accepted", said, who)
    if code == CONFLICT:
        return ConflictError(f"{what} was refused: {said}")
    if code == TOO_MANY:
        wait = _wait(response)
        later = datetime.now(UTC) + timedelta(seconds=wait) if wait else None
        when = f" The service asks to come again in {wait:,.0f} s." if wait else ""
        return BusyError(f"{what} was put off: {said}{when}", refresh=later)
    if code < 500 or code == FULL:  # without room nothing was saved
        return refused(f"{what} was refused: {said}", said, ref=ref)
    return PushFailedError(f"the service failed during {what}: {said}")


def failure(response: requests.Response | None, what: str, *, label: str, who: Who) -> KernelError:
    """A question answered with an HTTP error; it may be asked again."""
    said = service_words(response)
    code = response.status_code if response is not None else 0
    if code == 401:
        return _rejected(f"{label} does not accept the credentials of {who.username!r}", said, who)
    if code in (403, 404):
        return MissingError(f"{label} has no {what}, or it is not yours: {said}")
    if code == FULL:
        return ServiceError(f"{label} has no room for {what}: {said} The same command goes on.")
    if code == TOO_MANY:
        wait = _wait(response)
        when = f"in {wait:,.0f} s" if wait else "in some minutes"
        return AskedTooOftenError(f"{label} takes no more questions for now: {said} Ask again {when}.", wait=wait)
    return UntoldError(f"{label} failed over {what}: {said} The same command goes on.")


def unreached(error: requests.RequestException, what: str) -> OutOfReachError:
    """A call that came to no answer at all."""
    reason = cause(error)
    advice = certificates.advice(reason) or "Check the connection; the same command goes on."
    return OutOfReachError(f"{what} ({reason}). {advice}")


def _rejected(message: str, said: str, who: Who) -> CredentialsError:
    """Credentials that the service does not take: which they are, and how to get others."""
    return CredentialsError(f"{message}: {said} They were read from {who.origin}. {credentials.how()}")


def _wait(response: requests.Response | None) -> float:
    return retry_after(response.headers) if response is not None else 0.0
