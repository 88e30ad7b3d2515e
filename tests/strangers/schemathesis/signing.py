"""Signs what schemathesis sends (RFC 9421, hmac-sha256) with the key of BRIDGE32_KEY_ID and BRIDGE32_SECRET (base64)."""

import base64
import os
import re
import secrets

import schemathesis
from http_message_signatures import HTTPMessageSigner, HTTPSignatureKeyResolver, algorithms
from requests.auth import AuthBase


# As openapi.yaml has it, with room for more.
KEY = re.compile(r"[!#-+\--:<-\[\]-~]{1,200}")


class Key(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id):
        return base64.b64decode(os.environ["BRIDGE32_SECRET"])


class Signature(AuthBase):
    signer = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Key())

    def __call__(self, request):
        body = request.body.encode() if isinstance(request.body, str) else request.body
        # What is sent again, or shown as a curl line, is signed anew.
        request.headers.pop("Content-Digest", None)
        # Two requests that are not the same have keys of their own, where they have good ones.
        key = request.headers.get("Idempotency-Key")
        if isinstance(key, str) and KEY.fullmatch(key):
            request.headers["Idempotency-Key"] = key + secrets.token_hex(12)
        # Of a body it makes the Content-Digest, too, and signs it with the rest.
        self.signer.sign(
            request,
            key_id=os.environ["BRIDGE32_KEY_ID"],
            nonce=secrets.token_hex(12),
            covered_component_ids=("@method", "@authority", "@target-uri"),
            body=body or None,
        )
        return request


schemathesis.auth.set_from_requests(Signature())
