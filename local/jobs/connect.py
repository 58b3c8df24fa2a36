"""Finds the service for a command, and who we are there.

service = connect("kaggle")          # the service KAGGLE_API_ENVIRONMENT names
service = connect("emulator")        # ours on loopback, started if necessary; it cannot reach production
service = reach("emulator")          # the same, but nothing is started
"""

import logging
from typing import Any
from urllib.parse import urlsplit

import requests

from local.core import workspace
from local.kaggle_api import credentials
from local.kaggle_api.client import UNREADABLE, Service, typed
from local.kaggle_api.errors import TOO_MANY, UnansweredError, unreached
from local.kaggle_api.http import cause, mount, service_words
from shared.core.errors import CredentialsError, KernelError

logger = logging.getLogger(__name__)


def connect(remote: str, *, username: str | None = None) -> Service:
    """The service called `kaggle` or `emulator`. `username` is the expected owner, checked here.

    Raises CredentialsError if there are no credentials or they are somebody else's.
    """
    service = _connect_emulator() if remote == "emulator" else _connect_kaggle()
    check_owner(service, username)
    return service


def reach(remote: str) -> Service | None:
    """The service called `kaggle` or `emulator`, without starting anything: None if the emulator does not run.

    Raises CredentialsError if there are no credentials.
    """
    if remote != "emulator":
        return _connect_kaggle()
    from local.emulator import daemon

    found = daemon.running(workspace.state() / "emulator")
    return at_loopback(found[0].url, username=found[0].username, key=found[0].key) if found else None


def check_owner(service: Service, owner: str | None) -> None:
    """CredentialsError if another owner than us is requested."""
    if owner and owner != service.username:
        raise CredentialsError(
            f"the owner {owner!r} is not the user of the credentials, {service.username!r}: Kaggle lets nobody push "
            f"for another user.\nLeave --owner out, or use {owner}'s credentials."
        )


def _connect_kaggle() -> Service:
    from kagglesdk.kaggle_env import KaggleEnv, get_endpoint, get_env

    try:
        env = get_env()
    except Exception as error:  # noqa: BLE001 - the SDK raises a bare Exception
        raise KernelError(f"{error}. Unset it for production, or set TEST for http://localhost:7777.") from None
    label = "kaggle" if env is KaggleEnv.PROD else get_endpoint(env)
    found = credentials.find()
    if found is None:
        token = _oauth_token(_client(env), label)
        found = credentials.checked(credentials.Credentials(token=token, origin=credentials.LOGIN))
    sdk = _client(env, token=found.token, pair=(found.username, found.key) if found.key else None)
    logger.info("service: %s, by %s", label, found.origin)
    for name in credentials.unread(found.origin):
        logger.info("not read, since that comes first: %s", name)
    username = found.username or _introspect(sdk, found, label)
    return Service(sdk, username=username, label=label, origin=found.origin)


def _client(env: Any, *, token: str = "", pair: tuple[str, str] | None = None) -> Any:
    """The SDK's client with that token, or that user name and key, or neither.

    Without a token, the SDK would look for one itself: it reads the file in KAGGLE_API_TOKEN, without limit, and would
    prefer a token of this machine's user to the pair. The empty token prevents that, and is not sent.
    """
    from kagglesdk import KaggleClient
    from kagglesdk.kaggle_env import KaggleEnv

    sdk = KaggleClient(env=env, api_token=token)
    http = sdk.http_client()
    http._init_session()
    http._session.auth = http._session.auth if token else pair
    # A server on this machine needs no proxy, no .netrc and no certificates.
    http._session.trust_env = env is not KaggleEnv.TEST
    mount(http._session)
    return sdk


def _connect_emulator() -> Service:
    from local.emulator import daemon

    server = daemon.ensure(workspace.state() / "emulator")
    return at_loopback(server.url, username=server.username, key=server.key)


def at_loopback(url: str, *, username: str, key: str) -> Service:
    """The emulator at that URL, through the SDK like any other service; no other address is accepted."""
    from kagglesdk.kaggle_env import KaggleEnv

    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise KernelError(f"{url} is not on this machine: the emulator is always on this machine.")
    sdk = _client(KaggleEnv.TEST, pair=(username, key))
    logger.info("service: the emulator at %s", url)
    sdk.http_client()._endpoint = url  # the SDK knows one port only
    return Service(sdk, username=username, label="emulator", origin="the emulator itself")


def _introspect(sdk: Any, found: credentials.Credentials, label: str) -> str:
    """The user of the token. CredentialsError names its source."""
    from kagglesdk.security.types.oauth_service import IntrospectTokenRequest

    request = IntrospectTokenRequest()
    request.token = found.token
    try:
        answer = sdk.security.oauth_client.introspect_token(request)
        active, username = typed(bool, answer.active), typed(str, answer.username)
    except (requests.RequestException, *UNREADABLE) as error:
        raise _unchecked(error, f"{label} could not check {found.origin}", credentials.how()) from None
    if not active or not username:
        raise CredentialsError(f"{label} says that {found.origin} is not valid any more. {credentials.how()}")
    return username


def _oauth_token(sdk: Any, label: str) -> str:
    from kagglesdk.kaggle_creds import KaggleCredentials

    if not credentials.login():
        raise credentials.none_found()
    try:
        login = KaggleCredentials.load(sdk)
        token = login and typed(str, login.get_access_token())
    except requests.RequestException as error:
        raise _unchecked(error, f"{label} could not renew {credentials.LOGIN}", "Run: kaggle auth login") from None
    except UNREADABLE:  # whose text could quote the token
        raise CredentialsError(f"{credentials.LOGIN} cannot be read. Run: kaggle auth login") from None
    if not token:
        raise CredentialsError(f"{credentials.LOGIN} cannot be read. Run: kaggle auth login")
    return token


def _unchecked(error: Exception, what: str, otherwise: str) -> KernelError:
    """The error for unchecked credentials: the credentials' if the service refused them, else the connection's."""
    response = getattr(error, "response", None)
    if isinstance(error, requests.RequestException) and response is None:
        return unreached(error, what)
    if response is not None and (response.status_code >= 500 or response.status_code == TOO_MANY):
        return UnansweredError(f"{what}: {service_words(response)} Run the same command again to resume.")
    return CredentialsError(f"{what} ({cause(error)}). {otherwise}")
