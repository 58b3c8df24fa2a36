"""HTTP as this project wants it: time-outs on every call, bounded and jittered retries, and errors in plain language.

It knows only `requests` and `urllib3`, nothing of Kaggle's client. Every call is logged, without its query and its
headers: they have the signatures and the keys.
"""

import json
import logging
import re
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import MaxRetryError, SSLError
from urllib3.util import Retry

from local.kaggle_api import certificates
from shared.core.errors import plain

logger = logging.getLogger(__name__)

CONNECT, READ = 5.0, 60.0  # seconds
LONGEST_WAIT = 300  # seconds that one call waits at the service's request
ANNOUNCED_WAIT = 5  # seconds; a longer wait is announced
DAY = 86_400
TRIES = 5
_QUERY = re.compile(r"\?\S+")  # of a signed URL: it is the key
_BETWEEN = re.compile(r"\s*[\[,]\s*")  # what is before a record


class WithTimeouts(HTTPAdapter):
    """Every call gets a time-out, if the caller sets none; a `strict` one raises every answer of 400 and above.

    The SDK reads a body as JSON before it looks at the status, and so loses both if an error has no body. An answer
    that is cut off is requested again, as `urllib3` does for one that never began, unless the call is `unrepeatable`.
    """

    def __init__(self, *, max_retries: Retry, strict: bool, unrepeatable: bool = False) -> None:
        self.strict, self.tries = strict, 1 if unrepeatable else TRIES
        super().__init__(max_retries=max_retries)

    def send(  # type: ignore[override]
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, **rest: Any
    ) -> requests.Response:
        for further in reversed(range(self.tries)):
            answer = self._timed(request, stream=stream, timeout=timeout or (CONNECT, READ), **rest)
            try:
                if not stream or (self.strict and answer.status_code >= 400):
                    _ = answer.content  # read to its end, the connection is free again
                break
            except requests.RequestException as error:
                if not further:
                    raise
                logger.info(
                    "%s %s again: its answer was cut off (%s)", request.method, place(request.url), cause(error)
                )
        if self.strict and answer.status_code >= 400:
            raise requests.HTTPError(f"HTTP {answer.status_code}", response=answer)
        return answer

    def _timed(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """The answer as it begins, and a line about it."""
        began, what = time.monotonic(), f"{request.method} {place(request.url)}"
        try:
            answer = super().send(request, **options)
        except requests.RequestException as error:
            logger.info("%s failed after %.0f ms: %s", what, 1000 * (time.monotonic() - began), cause(error))
            raise
        logger.info("%s %d in %.0f ms", what, answer.status_code, 1000 * (time.monotonic() - began))
        return answer


class WithoutCredentials(requests.Session):
    """A session for signed URLs: it sends no credentials, not those of a .netrc, and not on redirects."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        prepared_request.headers.pop("Authorization", None)


def retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that a service asks us to wait, a day at most; 0 if it does not say, or says it unreadably."""
    said = headers.get("Retry-After", "").strip()
    try:
        date = parsedate_to_datetime(said) if not said.isdecimal() else None
        seconds = date.timestamp() - time.time() if date else float(said)
    except (ValueError, OverflowError):
        return 0.0
    return min(max(seconds, 0.0), DAY)


class _LoggedRetry(Retry):
    """Logs why a call is repeated, and when. A call that would fail again is not repeated."""

    def get_retry_after(self, response: Any) -> float | None:
        """Seconds to wait, None if the service does not say."""
        return retry_after(response.headers) or None

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        *rest: Any,
        **more: Any,
    ) -> "_LoggedRetry":
        waits = self.get_retry_after(response) or 0 if response is not None else 0
        unproven = isinstance(error, SSLError) and "CERTIFICATE_VERIFY" in str(error)
        if waits > LONGEST_WAIT or unproven:
            raise MaxRetryError(rest[0] if rest else more.get("_pool"), url or "", error)  # type: ignore[arg-type]
        further = super().increment(method, url, response, error, *rest, **more)
        if waits > ANNOUNCED_WAIT:
            words = "the service asks to wait (HTTP %d): trying again in %.0f s. Ctrl-C stops it."
            logger.warning(words, response.status, waits)
        why = f"HTTP {response.status}" if response is not None else cause(error) if error else "no answer"
        logger.info("%s %s again: %s", method, place(url), why)
        return further


class _SafeRetry(_LoggedRetry):
    """Repeats only calls that had no effect; of the answers with Retry-After that is only 429."""

    RETRY_AFTER_STATUS_CODES = frozenset({429})


def mount(session: requests.Session, *, strict: bool = True, unrepeatable: Sequence[str] = ()) -> None:
    """Gives a session time-outs and retries; below the URLs `unrepeatable` only calls without effect are retried."""
    if session.trust_env:
        session.verify = certificates.trusted()
    # A 429 means that nothing was done, and so does a failed connection.
    safe = _retry(_SafeRetry, status_forcelist=(429,), read=0, other=0)
    all_retries = _retry(_LoggedRetry, status_forcelist=(429, 500, 502, 503, 504))
    for prefix in ("https://", "http://"):
        session.mount(prefix, WithTimeouts(max_retries=all_retries, strict=strict))
    for prefix in unrepeatable:
        session.mount(prefix, WithTimeouts(max_retries=safe, strict=strict, unrepeatable=True))


def _retry(kind: type[Retry], **rules: Any) -> Retry:
    return kind(
        total=TRIES, allowed_methods=None, raise_on_status=False, backoff_factor=0.5, backoff_jitter=0.5,
        backoff_max=20, **rules,
    )  # fmt: skip


def place(url: str | bytes | None) -> str:
    """Host and path of a URL: the parts that may be shown."""
    parts = urlsplit(url.decode(errors="replace") if isinstance(url, bytes) else url or "")
    return plain(f"{parts.hostname or ''}{parts.path}")


def storage_md5(answer: requests.Response) -> str:
    """The MD5, in Base64, that Google's storage gives for a file; "" if it gives none, or sends it compressed."""
    stated = re.search(r"md5=([\w+/=]+)", answer.headers.get("x-goog-hash", ""))
    return stated[1] if stated and "Content-Encoding" not in answer.headers else ""


def log_text(log: str) -> str:
    """The plain text of a log: a JSON array of `{stream_name, time, data}`, perhaps cut short; other text as it is."""
    pieces, place = [], 0
    try:
        while begin := _BETWEEN.match(log, place):
            record, place = json.JSONDecoder().raw_decode(log, begin.end())
            pieces.append(str(record["data"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        pass  # the end of the array or of what arrived
    text = "".join(pieces) if pieces or log.strip() in ("[", "[]") else log
    return text.encode(errors="replace").decode()  # JSON allows half characters (surrogates), files do not


def record_text(record: str) -> str:
    """The plain text of one record of a log; "" for one that was cut short."""
    try:
        json.loads(record)
    except (ValueError, RecursionError):
        return ""
    return log_text(f"[{record}]")


def service_words(response: requests.Response | None) -> str:
    """The service's own message about an error, with its status; the SDK loses it."""
    if response is None:
        return "no answer."
    try:
        said = response.json()
    except (ValueError, RecursionError):
        said = None
    inner = said.get("error") if isinstance(said, dict) else None
    tables = [table for table in (inner, said) if isinstance(table, dict) and "message" in table]
    message = tables[0]["message"] if tables else response.reason or ""
    return f"{plain(message).rstrip('.')} (HTTP {response.status_code})."


def cause(error: Exception) -> str:
    """The innermost reason of a requests error, without its addresses, their queries, and object names."""
    response = getattr(error, "response", None)
    if response is not None:
        return f"HTTP {response.status_code}"
    reason: BaseException = error
    while inner := _inner(reason):
        reason = inner
    text = str(reason)
    named = "object at 0x" in text or "Connection(" in text or "Pool(" in text
    said = text.rsplit(": ", 1)[-1] if named else text
    return plain(_QUERY.sub("?…", said)) or type(reason).__name__


def _inner(error: BaseException) -> BaseException | None:
    """The exception that urllib3 or requests wraps: a `reason`, or the last exception among the arguments."""
    wrapped = [getattr(error, "reason", None), *reversed(error.args)]
    return next((one for one in wrapped if isinstance(one, BaseException)), None)
