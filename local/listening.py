"""Sockets for our own servers to listen on, bound before anything is started, so that a taken port is known at once.

    found = addresses(None)                      # loopback; or of a name or address, what it stands for
    sockets = listen(found, 7777)                # 0 takes any free port
    url_of(None, sockets)                        # http://127.0.0.1:7777

What a name stands for is looked up once, so that what is checked (`is_loopback`) is what is listened on. Nothing is
answered here: the emulator and the page in the browser hand the sockets to uvicorn.
"""

import ipaddress
import os
import socket
from typing import NamedTuple

from shared.errors import ConfigError, plain


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


def listen(found: list[Address], port: int) -> list[socket.socket]:
    """Sockets on the first address and, where they are there, on the others. ConfigError: it is in use, or not ours."""
    first, *others = found
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
