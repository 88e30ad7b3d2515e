"""Signs what `httpx` sends to bridge32 (HTTP Message Signatures, RFC 9421, with hmac-sha256). Copy it; it needs nothing else.

    httpx.Client(auth=BridgeAuth("ci", "…the secret of keys.toml…"))
"""

import base64
import hashlib
import hmac
import os
import secrets
import time

import httpx


class BridgeAuth(httpx.Auth):
    """Signs each request with a key; its secret is base64, as in keys.toml. For AsyncClient, too."""

    requires_request_body = True

    def __init__(self, key_id, secret):
        self.key_id, self.secret = key_id, base64.b64decode(secret)

    @classmethod
    def from_environment(cls):
        return cls(os.environ["BRIDGE32_KEY_ID"], os.environ["BRIDGE32_SECRET"])

    def auth_flow(self, request):
        path, _, query = request.url.raw_path.decode().partition("?")
        host = request.headers["Host"].lower()
        covered = {
            "@method": request.method,
            "@authority": host.removesuffix({"http": ":80", "https": ":443"}[request.url.scheme]),
            "@path": path,
            "@query": "?" + query,
        }
        if request.content:
            digest = base64.b64encode(hashlib.sha256(request.content).digest()).decode()
            covered["content-digest"] = request.headers["Content-Digest"] = f"sha-256=:{digest}:"
        names = " ".join(f'"{name}"' for name in covered)
        parameters = f'({names});created={int(time.time())};keyid="{self.key_id}";nonce="{secrets.token_hex(16)}"'
        lines = [f'"{name}": {value}' for name, value in {**covered, "@signature-params": parameters}.items()]
        mac = hmac.digest(self.secret, "\n".join(lines).encode(), "sha256")
        request.headers["Signature-Input"] = f"sig1={parameters}"
        request.headers["Signature"] = f"sig1=:{base64.b64encode(mac).decode()}:"
        yield request
