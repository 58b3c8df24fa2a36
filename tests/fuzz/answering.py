"""A service on loopback that answers with whatever it is told, right or wrong, and the real client in front of it.

with Answering() as there:
    there.say(b"[]", status=200, headers={"Content-Type": "text/html"})       # to everything that is asked
    there.files["/a"] = b"content"                                            # but to this, or a `Said`
    there.client.status("k2l-mine", 1)
"""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kagglesdk import KaggleClient
from kagglesdk.kaggle_env import KaggleEnv

from local.jobs import connect


@dataclass(kw_only=True)
class Said:
    """One answer."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Answering:
    """The service; `asked` counts its requests."""

    def __init__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self):
                outer.asked += 1
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.answer(self)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.asked = 0
        self.files = {}
        self.say(b"")
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))

    def __enter__(self):
        self.thread.start()
        self.client = connect.at_loopback(self.url, username="me", key="key")
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def sdk(self):
        """Kaggle's own client of this service."""
        sdk = KaggleClient(env=KaggleEnv.TEST, username="me", password="key")
        sdk.http_client()._endpoint = self.url
        sdk.http_client()._init_session()
        sdk.http_client()._session.trust_env = False
        return sdk

    def say(self, body, *, status=200, headers=None):
        """What is answered from now on: bytes as they are, anything else as JSON."""
        self.said = Said(
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
            status=status,
            headers={"Content-Type": "application/json"} if headers is None else headers,
        )

    def answer(self, handler):
        """One answer; the connection ends with it, so that no answer is taken for a part of the next."""
        said = self.files.get(handler.path, self.said)
        said = said if isinstance(said, Said) else Said(body=said)
        handler.send_response(said.status)
        for name, value in said.headers.items():
            handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(said.body)
        handler.close_connection = True
