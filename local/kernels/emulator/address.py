"""Where the emulator listens, and who may come in: this machine alone, unless somebody knows what else that means.

    sockets = listen(None, 7777)                                   loopback
    sockets = listen("192.168.1.5", 7777, i_know=True)             whoever reaches it there and has the key
    why_not(hosts, origin=False, own=None)                         "" where a request that names these may come in

Whoever has the key has this user's account: a push is executed. A browser is on this machine too, and runs what the
pages of others tell it; they do not know the key, and get no answer either.
"""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from local import listening
from shared.errors import KernelError


def listen(host: str | None, port: int, *, i_know: bool = False) -> list[socket.socket]:
    """Sockets on the host, on 127.0.0.1 and, where it is there, ::1 unless one is named: `localhost` may mean either.

    ConfigError: the host is unknown, or the port in use. KernelError: it is not loopback, and `i_know` is not said.
    """
    found = listening.addresses(host)
    for one in found:
        if not (i_know or listening.is_loopback(one.host)):
            raise KernelError(
                f"--host {host} is {one.host}, which others may reach: who does, and has the key, runs code here as "
                "you.\nLeave --host out to serve this machine alone, or add --i-know."
            )
    return listening.listen(found, port)


def why_not(hosts: Iterable[str], *, origin: bool, own: str | None) -> str:
    """Why a request is not let in, or "": `hosts` are those it names, `own` is the one we listen on by choice.

    A page that gave its own name our address (DNS rebinding) is known by that name; one that asks across sites, by the
    `Origin` that its browser adds. No page of a browser has any business here.
    """
    if origin:
        return "The emulator answers no page of a browser: leave the Origin header out"
    for host in hosts:
        if not (listening.is_loopback(host) or (own and (host == own.lower() or _is_address(host)))):
            return f"The emulator is not called '{host[:100]}'"
    return ""


def host_of(authority: str) -> str:
    """The name or address in a Host header, without port and brackets; in small letters."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:  # brackets that are not closed
        return authority


def _is_address(host: str) -> bool:
    """Whether it is an address as such: nobody can make it mean another machine."""
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
