"""Sockets for our own servers, bound before anything starts, so that a port in use is known at once.

    sockets = listen(None, 7777, risk="…")       # loopback; 0 takes any free port
    sockets = listen("192.168.1.5", 7777, risk="…", i_know=True)         # other machines can reach it: needs `i_know`
    url_of(None, sockets)                        # http://127.0.0.1:7777
    is_ours(host_of("localhost:7777"), None)     # whether a request to this host is for us

A name is looked up once, so that the address that is checked is the one that listens. Requests are answered elsewhere:
the emulator and the web page give the sockets to uvicorn.
"""

import ipaddress
import os
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.core.errors import ConfigError, plain


class ExposedError(ConfigError):
    """Other machines could connect, and the user did not confirm that."""


class Address(NamedTuple):
    """An address of this machine, as it is written."""

    family: socket.AddressFamily
    host: str


LOOPBACK = Address(socket.AF_INET, "127.0.0.1"), Address(socket.AF_INET6, "::1")  # `localhost` may mean either


def addresses(host: str | None) -> list[Address]:
    """The addresses of a name or address; loopback if none is given. ConfigError: it is invalid."""
    if not host:
        return list(LOOPBACK)
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError, TypeError):  # the last two for text that cannot be a host name
        raise ConfigError(
            f"--host {plain(host)} is not a name or address of this machine. Leave it out for loopback."
        ) from None
    return list(dict.fromkeys(Address(family, str(place[0])) for family, _, _, _, place in found))


def listen(host: str | None, port: int, *, risk: str, i_know: bool = False) -> list[socket.socket]:
    """Sockets on the host's first address and, if they exist, on its others; on loopback if no host is given.

    ConfigError: the host is unknown, the port is in use. ExposedError: other machines may reach it, and `i_know` is
    False; `risk` says what they could do.
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
    """A listening socket. OSError: the address is in use or does not exist."""
    # The protocol is given because asyncio sets TCP_NODELAY only then: it saves 40 ms a call.
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
    """The URL of a server; on loopback if it listens on all addresses."""
    address, port = sockets[0].getsockname()[:2]
    name = LOOPBACK[0].host if ipaddress.ip_address(address).is_unspecified else host or address
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def is_loopback(host: str) -> bool:
    """Whether a name or address, as written, can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def exposed(sockets: list[socket.socket]) -> list[str]:
    """The addresses of the sockets that are not loopback."""
    hosts = [str(one.getsockname()[0]) for one in sockets]
    return [host for host in hosts if not is_loopback(host)]


def is_ours(name: str, host: str | None) -> bool:
    """Whether a request for that name or address is for a server on `host`, None for loopback.

    Any address is: nobody can point it at another machine. Another's name can be pointed at our address.
    """
    return is_loopback(name) or bool(host and (name == host.lower() or _is_address(name)))


def host_of(authority: str) -> str:
    """The name or address in a Host header, without port and brackets; in lower case. "" if it has more parts."""
    try:
        parts = urlsplit(f"//{authority}")
    except ValueError:  # brackets that are not closed
        return authority
    return parts.hostname or "" if parts.netloc == authority else ""  # a path in it would change the request


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
