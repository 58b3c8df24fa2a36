"""Which certificate authorities are trusted: those of `requests`, or those in a file of the user's.

    session.verify = trusted()

`requests` reads REQUESTS_CA_BUNDLE and CURL_CA_BUNDLE by itself, but not SSL_CERT_FILE, which OpenSSL, curl and pip
know. Here all three are read; the first that is set counts. A company's proxy is the usual reason to set one.
"""

import os
import re
from pathlib import Path

from shared.core.errors import KernelError, plain

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_UNKNOWN = re.compile(r"self.signed certificate|unable to get (local )?issuer", re.IGNORECASE)


def named() -> tuple[str, str]:
    """The variable that counts and its value; twice "" if none is set."""
    return next(((name, os.environ[name]) for name in VARIABLES if os.environ.get(name)), ("", ""))


def trusted() -> str | bool:
    """The authorities for `requests`: a file, or True for its own. KernelError if the file does not exist."""
    name, path = named()
    if name and not Path(path).exists():
        raise KernelError(f"{name} names {plain(path)}, which does not exist: set it to a file of certificates (.pem).")
    return path or True


def advice(reason: str) -> str:
    """What to do if a connection failed for that reason; "" if the authority is known."""
    if not _UNKNOWN.search(reason):
        return ""
    name, path = named()
    read = f"{name} ({plain(path)})" if name else "those that come with Python's requests"
    return (
        "Its certificate is from an authority that this machine does not trust, as with a company's proxy.\n"
        f"Set REQUESTS_CA_BUNDLE or SSL_CERT_FILE to a file with that authority's certificate; read now: {read}."
    )
