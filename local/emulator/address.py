"""Who may come in to the emulator: this machine alone, unless somebody knows what else that means.

    why_not(hosts, origin=False, own=None)      "" where a request that names these may come in

Whoever has the key has this user's account: a push is executed. A browser is on this machine too, and runs what the
pages of others tell it; they do not know the key, and get no answer either. `local.core.listening` binds the sockets.
"""

from collections.abc import Iterable

from local.core import listening

RISK = "who has the key runs code here as you."


def why_not(hosts: Iterable[str], *, origin: bool, own: str | None) -> str:
    """Why a request is not let in, or "": `hosts` are those it names, `own` is the one we listen on by choice.

    A page that gave its own name our address (DNS rebinding) is known by that name; one that asks across sites, by the
    `Origin` that its browser adds. No page of a browser has any business here.
    """
    if origin:
        return "The emulator answers no page of a browser: leave the Origin header out"
    for host in hosts:
        if not listening.is_ours(host, own):
            return f"The emulator is not called '{host[:100]}'"
    return ""
