"""Who may use the emulator: only this machine, unless the user accepts the risk.

    why_not(hosts, origin=False, own=None)      "" if a request with these hosts is allowed

The key gives access to this user's account: a push is executed. A browser on this machine runs code of other people's
pages; they do not know the key, and get no answer either. `local.core.listening` binds the sockets.
"""

from collections.abc import Iterable

from local.core import listening

RISK = "who has the key runs code here as you."


def why_not(hosts: Iterable[str], *, origin: bool, own: str | None) -> str:
    """Why a request is refused, or "": `hosts` are those that it names, `own` is the host chosen by the user.

    A page whose name points at our address (DNS rebinding) is recognised by that name; a cross-site request by its
    `Origin` header. No browser page needs the emulator.
    """
    if origin:
        return "The emulator answers no page of a browser: leave the Origin header out"
    for host in hosts:
        if not listening.is_ours(host, own):
            return f"The emulator is not called '{host[:100]}'"
    return ""
