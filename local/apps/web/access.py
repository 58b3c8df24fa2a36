"""What stands before the page: who may ask, and what every answer says to the browser.

    app = Gate(app, called=lambda host: host == "localhost")

On loopback, requests that name another host are refused, so that no web page can reach this one by a name of its own
(DNS rebinding); nowhere may a page of another origin send anything.
"""

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from local.core import listening

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "style-src-attr": "'unsafe-inline'",  # a bar's width
    "img-src": "'self' data: blob:",
    "media-src": "blob:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=(), usb=(), serial=()",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Gate:
    """The application behind these checks; `called` says whether a name is one of ours."""

    def __init__(self, app: ASGIApp, *, called: Callable[[str], bool]) -> None:
        self.app, self.called = app, called

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._why_not(Headers(scope=scope))
        app = PlainTextResponse(refusal, 403) if refusal else self.app

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, secured)

    def _why_not(self, headers: Headers) -> str:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.called(listening.host_of(hosts[0])):
            return "This page has another name."
        if any(origin.partition("://")[2] != hosts[0] for origin in headers.getlist("origin")):
            return "No other page may ask this one."
        return ""
