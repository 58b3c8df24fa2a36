"""Sockets for our own servers to listen on, bound before anything is started, so that a taken port is known at once.

    sockets = listen(None, 7777, risk="…")       # loopback; 0 takes any free port
    sockets = listen("192.168.1.5", 7777, risk="…", i_know=True)         # what other machines reach takes `i_know`
    url_of(None, sockets)                        # http://127.0.0.1:7777
    is_ours(host_of("localhost:7777"), None)     # whether a request that names this host is meant for us

What a name stands for is looked up once, so that what is checked is what is listened on. Nothing is answered here: the
emulator and the page in the browser hand the sockets to uvicorn.
"""

import ipaddress
import os
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.core.errors import ConfigError, plain


class ExposedError(ConfigError):
    """Other machines would be let in, and nobody said that this is meant."""


class Address(NamedTuple):
    """An address of this machine, as it is written."""

    family: socket.AddressFamily
    host: str


LOOPBACK = Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1")  # `localhost` may mean either


def addresses(host: str | None) -> list[Address]:
    """What a name or address stands for; loopback where none is given. ConfigError: it is none."""
    if not host:
        return list(LOOPBACK)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError, TypeError):  # but for the first, of what can be no host's name
        raise ConfigError(
            f"--host {plain(host)} is no name or address of this machine. Leave it out for loopback."
        ) from None
    return list(dict.fromkeys(Address(family, str(place[0])) for family, _, _, _, place in found))


def listen(host: str | None, port: int, *, risk: str, i_know: bool = False) -> list[socket.socket]:
    """Sockets on the host's first address and, where they are there, on its others; on loopback where none is named.

    ConfigError: the host is unknown, the port is in use. ExposedError: other machines may reach it, and `i_know` is not
    said; `risk` says what they could do.
    """
    first, *others = found = addresses(host)
    for one in found:
        if not (i_know or is_loopback(one.host)):
            named = "" if one.host == host else f" ({one.host})"
            raise ExposedError(
                f"other machines can reach --host {plain(host)}{named}: {risk}\n"
                "Leave --host out to serve this machine alone, or add --i-know."
            )
    try:
        sockets = [bound(first, port)]
    except OSError as error:
        raise ConfigError(
            f"port {port} on {first.host} cannot be used ({error.strerror}); choose another --port, 0 for any free one."
        ) from None
    for other in others:
        try:
            sockets.append(bound(other, sockets[0].getsockname()[1]))
        except OSError:  # no IPv6 here
            continue
    return sockets


def bound(address: Address, port: int) -> socket.socket:
    """A listening socket. OSError: the address is in use or not there."""
    # Named, for asyncio sends without delay (TCP_NODELAY) only what says that it is TCP: 40 ms a call.
    one = socket.socket(address.family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share the port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # "::" is not also every IPv4 address
        one.bind((address.host, port))
        one.listen(128)
    except BaseException:
        one.close()
        raise
    return one


def url_of(host: str | None, sockets: list[socket.socket]) -> str:
    """The URL under which a server gives itself out; where it listens everywhere, that on loopback."""
    address, port = sockets[0].getsockname()[:2]
    name = LOOPBACK[0].host if ipaddress.ip_address(address).is_unspecified else host or address
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a name or address, as it is written, can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def exposed(sockets: list[socket.socket]) -> list[str]:
    """The addresses listened on that are not loopback."""
    hosts = [str(one.getsockname()[0]) for one in sockets]
    return [host for host in hosts if not is_loopback(host)]


def is_ours(name: str, host: str | None) -> bool:
    """Whether a request for that name or address is meant for a server on `host`, None where that is loopback.

    Any address is: nobody can make it mean another machine. A name of others can be made to mean our address.
    """
    return is_loopback(name) or bool(host and (name == host.lower() or _is_address(name)))


def host_of(authority: str) -> str:
    """The name or address in a Host header, without port and brackets; in small letters. "" where it has more."""
    try:
        parts = urlsplit(f"//{authority}")
    except ValueError:  # brackets that are not closed
        return authority
    return parts.hostname or "" if parts.netloc == authority else ""  # a path in it would change what is asked for


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
