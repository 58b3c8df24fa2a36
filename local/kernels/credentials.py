"""Who we are at Kaggle: the official client's credentials, in its order, without its side effects.

`import kaggle` logs in while it is imported, at production, whatever `KAGGLE_API_ENVIRONMENT` says, and may make
folders in HOME. So the credentials are read here, with the official SDK's own readers where it has them:
an access token (`KAGGLE_API_TOKEN`, `~/.kaggle/access_token`), then `KAGGLE_USERNAME` and `KAGGLE_KEY` or
`kaggle.json`, then the OAuth log-in (`kaggle auth login`). Nothing read here is ever logged or written.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import CredentialsError

HOW = (
    "Make a token at kaggle.com/settings and save it as ~/.kaggle/kaggle.json or ~/.kaggle/access_token, "
    "or set KAGGLE_USERNAME and KAGGLE_KEY.\nWithout an account: --remote emulator."
)

LOGIN = "the log-in (~/.kaggle/credentials.json)"


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user name with a key, or a token (whose user name only the service knows), and where they were found."""

    username: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    origin: str = ""


def find() -> Credentials | None:
    """A token or a key of this machine's user, or None. Raises CredentialsError for what cannot be either."""
    token, origin = _token()
    if token:
        return checked(Credentials(token=token, origin=origin))
    username, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    if username and key:
        return checked(Credentials(username=username, key=key, origin="KAGGLE_USERNAME and KAGGLE_KEY"))
    for path in _files():
        if path.is_file():
            return _read(path)
    return None


def login() -> bool:
    """Whether there is an OAuth log-in, which the service alone can make a token of. CredentialsError if damaged."""
    path = Path.home() / ".kaggle" / "credentials.json"
    if not path.is_file():
        return False
    try:
        whole = bool(json.loads(path.read_text(encoding="utf-8"))["refresh_token"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise CredentialsError(f"{LOGIN} cannot be read. Run: kaggle auth login")
    return True


def files() -> list[Path]:
    """The files of this machine that hold credentials, those that the client would not come to as well."""
    folder = Path.home() / ".kaggle"
    tokens = [folder / "access_token", folder / "access_token.txt", Path(os.environ.get("KAGGLE_API_TOKEN", ""))]
    return [path for path in (*tokens, *_files(), folder / "credentials.json") if path.is_file()]


def _token() -> tuple[str, str]:
    """The access token and where it was found; empty where there is none."""
    named = any(name.startswith("KAGGLE") and "TOKEN" in name for name in os.environ)
    if not named and not any((Path.home() / ".kaggle").glob("*token*")):
        return "", ""  # the SDK, which takes a while to import, has nowhere to look
    from kagglesdk.kaggle_env import get_access_token_from_env

    try:
        token, origin = get_access_token_from_env()
    except (OSError, ValueError):  # the SDK takes it for a file's name first, and its error would quote it
        where = "the access token (KAGGLE_API_TOKEN, ~/.kaggle/access_token)"
        raise CredentialsError(f"{where} cannot be read. {HOW}") from None
    return token or "", "~/.kaggle/access_token" if origin == "access_token" else origin or ""


def checked(found: Credentials) -> Credentials:
    """The credentials, if a header can hold them: requests would quote others in its error."""
    text = found.username + found.key + found.token
    if not (text.isascii() and text.isprintable()):
        raise CredentialsError(f"{found.origin}: holds characters that no credentials have. {HOW}")
    return found


def _files() -> list[Path]:
    """Where the official client keeps kaggle.json: KAGGLE_CONFIG_DIR, else ~/.kaggle, else ~/.config/kaggle."""
    folder = os.environ.get("KAGGLE_CONFIG_DIR")
    folders = [Path(folder)] if folder else [Path.home() / ".kaggle", Path.home() / ".config" / "kaggle"]
    return [path / "kaggle.json" for path in folders]


def _read(path: Path) -> Credentials:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        username, key = table["username"], table["key"]
        if not (isinstance(username, str) and isinstance(key, str) and username):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # The error's own text could quote the key.
        raise CredentialsError(f"{path} is not a JSON object with `username` and `key`. {HOW}") from None
    return checked(Credentials(username=username, key=key, origin=str(path)))
