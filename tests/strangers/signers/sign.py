"""Signs requests to a bridge with the package `http-message-signatures`, asks for signed answers, and verifies those with it.

The bridge's URL is the argument; the key is in BRIDGE32_KEY_ID and BRIDGE32_SECRET (base64). A line for each request."""

import base64
import os
import secrets
import sys

import requests
from http_message_signatures import HTTPMessageSigner, HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms

URL = sys.argv[1]
ID = os.environ["BRIDGE32_KEY_ID"]
WANTED = 'answer=("@status" "content-type" "content-digest" "@path";req "signature";req;key="py");created;tag="t"'


class Keys(HTTPSignatureKeyResolver):
    def resolve_private_key(self, key_id):
        return base64.b64decode(os.environ["BRIDGE32_SECRET"])

    resolve_public_key = resolve_private_key


SIGNER = HTTPMessageSigner(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())
VERIFIER = HTTPMessageVerifier(signature_algorithm=algorithms.HMAC_SHA256, key_resolver=Keys())


def ask(method, path, body=None, components=("@method", "@authority", "@target-uri"), **options):
    headers = {"Accept-Signature": WANTED, "Content-Type": "application/json"}
    request = requests.Request(method, URL + path, headers=headers, data=body).prepare()
    SIGNER.sign(
        request,
        key_id=ID,
        label="py",
        nonce=secrets.token_urlsafe(16),
        covered_component_ids=components,
        body=body,
        **options,
    )
    answer = requests.Session().send(request)
    [verified] = VERIFIER.verify(
        answer, expect_tag="t", require_components=('"@status"', '"signature";req;key="py"'), body=answer.content
    )
    assert verified.body == answer.content and verified.parameters["keyid"] == ID
    print(method, path, answer.status_code, "believed")


ask("GET", "/v1/libraries")
ask("GET", "/v1/libraries?name=%C3%A4&x=a+b&x=", components=("@query", "@path", "@authority", "@method"))
ask("POST", "/v1/libraries/scalars/functions/EchoInt", b'{"value": 5}')
ask("POST", "/v1/libraries/scalars/functions/EchoInt", '{"välue": 5}'.encode(), include_alg=False, tag="bridge32")
ask("POST", "/v1/libraries/scalars/functions/EchoInt", b"", components=("content-type", "@target-uri", "@method", "@authority"))
