"""Signs what `requests` sends to bridge32 (HTTP Message Signatures, RFC 9421, with hmac-sha256). Copy it; it needs nothing else.

    requests.get(url, auth=BridgeAuth("ci", "…the secret of keys.toml…"))
"""

import base64
import hashlib
import hmac
import os
import secrets
import time
from urllib.parse import urlsplit

from requests.auth import AuthBase


class BridgeAuth(AuthBase):
    """Signs each request with a key; its secret is base64, as in keys.toml."""

    def __init__(self, key_id, secret):
        self.key_id, self.secret = key_id, base64.b64decode(secret)

    @classmethod
    def from_environment(cls):
        return cls(os.environ["BRIDGE32_KEY_ID"], os.environ["BRIDGE32_SECRET"])

    def __call__(self, request):
        url = urlsplit(request.url)
        host = request.headers.get("Host", url.netloc.rpartition("@")[2])
        covered = {
            "@method": request.method,
            "@authority": host.lower().removesuffix({"http": ":80", "https": ":443"}[url.scheme]),
            "@path": url.path or "/",
            "@query": "?" + url.query,
        }
        if isinstance(request.body, str):
            request.body = request.body.encode()
        if request.body:
            if not isinstance(request.body, bytes):
                raise TypeError("what is signed must be there as a whole: bytes or str, no stream")
            digest = base64.b64encode(hashlib.sha256(request.body).digest()).decode()
            covered["content-digest"] = request.headers["Content-Digest"] = f"sha-256=:{digest}:"
        names = " ".join(f'"{name}"' for name in covered)
        parameters = f'({names});created={int(time.time())};keyid="{self.key_id}";nonce="{secrets.token_hex(16)}"'
        lines = [f'"{name}": {value}' for name, value in {**covered, "@signature-params": parameters}.items()]
        mac = hmac.digest(self.secret, "\n".join(lines).encode(), "sha256")
        request.headers["Signature-Input"] = f"sig1={parameters}"
        request.headers["Signature"] = f"sig1=:{base64.b64encode(mac).decode()}:"
        return request
