"""Signed URLs for outputs: whoever holds one may fetch that file until it expires, and needs no key.

signer.sign("owner/slug/3/model.pth")   -> "/storage/owner/slug/3/model.pth?expires=…&signature=…"
signer.accepts(name, expires, signature)
"""

import hashlib
import hmac
import time
from urllib.parse import quote, urlencode

LIFETIME = 3600.0


class Signer:
    """Signs names with a secret of the state folder, so that URLs outlive a restart of the server."""

    def __init__(self, secret: str, lifetime: float = LIFETIME) -> None:
        self.secret = secret.encode()
        self.lifetime = lifetime

    def sign(self, name: str) -> str:
        """Path and query of the URL for a file's name."""
        expires = str(int(time.time() + self.lifetime))
        query = urlencode({"expires": expires, "signature": self._signature(name, expires)})
        return f"/storage/{quote(name)}?{query}"

    def accepts(self, name: str, expires: str, signature: str) -> bool:
        genuine = hmac.compare_digest(self._signature(name, expires).encode(), signature.encode())
        return genuine and float(expires) >= time.time()

    def _signature(self, name: str, expires: str) -> str:
        return hmac.new(self.secret, f"{name}\n{expires}".encode(), hashlib.sha256).hexdigest()
