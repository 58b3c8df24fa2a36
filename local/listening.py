"""Sockets for our own servers to listen on, bound before anything is started, so that a taken port is known at once.

    sockets = loopback(7777)                              # 127.0.0.1 and, where it is there, ::1; 0 takes any free port
    sockets = [bound(socket.AF_INET, "0.0.0.0", 7860)]    # other machines too

Nothing is answered here: the emulator and the page in the browser hand them to uvicorn.
"""

import ipaddress
import os
import socket


def loopback(port: int) -> list[socket.socket]:
    """Sockets on 127.0.0.1 and, where it is there, ::1: `localhost` may mean either. OSError: in use."""
    first = bound(socket.AF_INET, "127.0.0.1", port)
    sockets = [first]
    try:
        sockets.append(bound(socket.AF_INET6, "::1", first.getsockname()[1]))
    except OSError:
        return sockets
    return sockets


def bound(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    """A listening socket. OSError: the address is in use or not there."""
    # Named, for asyncio sends without delay (TCP_NODELAY) only what says that it is TCP: 40 ms a call.
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share the port
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # "::" is not also every IPv4 address
        one.bind((host, port))
        one.listen(128)
    except BaseException:
        one.close()
        raise
    return one


def is_loopback(host: str) -> bool:
    """Whether a name or address, as it is written, can only mean this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
