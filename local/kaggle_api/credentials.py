"""Who we are at Kaggle: the official client's credentials, in its order, without its side effects.

`import kaggle` logs in while it is imported, at production, whatever `KAGGLE_API_ENVIRONMENT` says, and may make
folders in HOME. So the credentials are read here; each file is regular, and read once with a limit:

1. an access token: `KAGGLE_API_TOKEN` (the token, or the file that holds it), then a file `access_token`;
2. a user's key: `KAGGLE_USERNAME` and `KAGGLE_KEY`, then a file `kaggle.json`;
3. the OAuth log-in (`kaggle auth login`).

The files are in `~/.kaggle`, or in `KAGGLE_CONFIG_DIR`. The client reads only `kaggle.json` there; we also read a token
there, before all other files. A pipe is refused: it can be read only once, and credentials are read again. Nothing read
here is ever logged or written.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from local.core import text_files
from shared.core.errors import CredentialsError, plain

TOKEN = "KGAT_"  # the start of an access token
LOGIN = "the log-in (~/.kaggle/credentials.json)"
VARIABLES = "KAGGLE_USERNAME and KAGGLE_KEY"


def how() -> str:
    """What to do if there are no credentials, or no valid ones."""
    return (
        f"Make a token at kaggle.com/settings and save it as {_folders()[0]}/access_token, or set KAGGLE_API_TOKEN; "
        "a kaggle.json from there goes into the same folder.\nWithout an account: --remote emulator."
    )


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A user name with a key, or a token (only the service knows its user name), and where they were found."""

    username: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    origin: str = ""


def find() -> Credentials | None:
    """A token or a key of this machine's user, or None. Raises CredentialsError for an invalid one."""
    for look in (_named_token, _token_of_a_file, _key_of_the_environment, _key_of_a_file):
        if found := look():
            return checked(found)
    return None


def none_found() -> CredentialsError:
    """The error for a machine without credentials: where we searched, and how to get some."""
    folders = ", ".join(map(str, _folders()))
    return CredentialsError(f"no Kaggle credentials in {folders} or the environment. {how()}")


def login() -> bool:
    """Whether there is an OAuth log-in; the service makes a token from it. CredentialsError if it is damaged."""
    path = _home() / "credentials.json"
    if not path.exists():
        return False
    try:
        complete = bool(json.loads(text_files.read(path))["refresh_token"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        complete = False
    if not complete:
        raise CredentialsError(f"{LOGIN} cannot be read. Run: kaggle auth login")
    return True


def files() -> list[Path]:
    """The files of this machine that hold credentials, in the order in which they are read."""
    named = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    paths = [Path(named), *_token_files(), *_key_files(), _home() / "credentials.json"]
    return [path for path in dict.fromkeys(paths) if _exists(path) and path.is_file()]


def unread(origin: str) -> list[str]:
    """What else has credentials here, but is not read because `origin` comes first."""
    if origin == LOGIN:
        return []  # the last of all
    variables = [VARIABLES] * bool(os.environ.get("KAGGLE_USERNAME") and os.environ.get("KAGGLE_KEY"))
    return [name for name in (*variables, *map(str, files())) if name not in origin]


def checked(found: Credentials) -> Credentials:
    """The credentials, if they are valid in a header: the error of requests would quote invalid ones."""
    text = found.username + found.key + found.token
    if not (text.isascii() and text.isprintable()):
        raise CredentialsError(
            f"{found.origin} cannot be right: it has characters that credentials cannot have. {how()}"
        )
    if found.key.startswith(TOKEN):
        raise _misplaced(found.origin)
    return found


def _home() -> Path:
    return Path.home() / ".kaggle"


def _folders() -> list[Path]:
    """Where kaggle.json may be: KAGGLE_CONFIG_DIR, else ~/.kaggle, else ~/.config/kaggle."""
    named = os.environ.get("KAGGLE_CONFIG_DIR")
    return [Path(named)] if named else [_home(), Path.home() / ".config" / "kaggle"]


def _token_files() -> Iterator[Path]:
    for folder in dict.fromkeys([_folders()[0], _home()]):
        yield folder / "access_token"
        yield folder / "access_token.txt"  # as an editor on Windows saves it


def _key_files() -> list[Path]:
    return [folder / "kaggle.json" for folder in _folders()]


def _exists(path: Path) -> bool:
    """Whether there is such a file; a token is not a file name, and may be too long for one."""
    try:
        return path.exists()
    except OSError:
        return False


def _named_token() -> Credentials | None:
    """The token in KAGGLE_API_TOKEN, or in the file that it names."""
    given = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if not given:
        return None
    if not _exists(Path(given)):
        return Credentials(token=given, origin="the access token in KAGGLE_API_TOKEN")
    found = _token_in(Path(given), f"the access token in {plain(given)} (named by KAGGLE_API_TOKEN)")
    if not found.token:
        raise CredentialsError(f"{found.origin} is empty. {how()}")
    return found


def _token_of_a_file() -> Credentials | None:
    """The first access token in a file; an empty file is skipped, as in the client."""
    found = (_token_in(path, f"the access token in {path}") for path in _token_files() if _exists(path))
    return next((one for one in found if one.token), None)


def _token_in(path: Path, origin: str) -> Credentials:
    text = _text(path, origin).strip()
    if text.startswith("{"):
        raise CredentialsError(f"{origin} has the content of a kaggle.json: save it under that name. {how()}")
    return Credentials(token=text, origin=origin)


def _key_of_the_environment() -> Credentials | None:
    username, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    return Credentials(username=username, key=key, origin=VARIABLES) if username and key else None


def _key_of_a_file() -> Credentials | None:
    path = next(filter(_exists, _key_files()), None)
    return _key_in(path) if path else None


def _key_in(path: Path) -> Credentials:
    text = _text(path, str(path))
    if TOKEN in text:
        raise _misplaced(str(path))
    try:
        table = json.loads(text)
        username, key = table["username"], table["key"]
        if not (isinstance(username, str) and isinstance(key, str) and username and key):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError):
        # The error's own text could quote the key.
        raise CredentialsError(f"{path} is not a JSON object with `username` and `key`. {how()}") from None
    return Credentials(username=username, key=key, origin=f"the key in {path}")


def _text(path: Path, origin: str) -> str:
    """The content of a file of credentials."""
    try:
        return text_files.read(path)
    except (OSError, ValueError) as error:
        raise CredentialsError(f"{origin} cannot be read: {text_files.trouble(error)}. {how()}") from None


def _misplaced(origin: str) -> CredentialsError:
    return CredentialsError(
        f"{origin}: it has an access token ({TOKEN}…) in the place of a key, which the service refuses.\n"
        f"Save only the token as {_home() / 'access_token'}, or set KAGGLE_API_TOKEN to it."
    )
