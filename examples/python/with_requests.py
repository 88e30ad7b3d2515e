"""Calls a 32-bit library with `requests` and no generated client: each request is signed by requests_auth.py."""

import sys

import requests

from requests_auth import BridgeAuth

bridge = requests.Session()
bridge.auth = BridgeAuth.from_environment()
demo = f"{sys.argv[1]}/v1/libraries/demo"

print("17 / 5:", bridge.post(f"{demo}/functions/Divide", json={"dividend": 17, "divisor": 5}).json()["outputs"])
print("the first count:", bridge.post(f"{demo}/functions/Count").json()["result"])
print("exports with “di”:", bridge.get(f"{demo}/exports", params={"filter": "di"}).json()["total"])
print("a library that is not there:", bridge.get(f"{sys.argv[1]}/v1/libraries/bücher").json()["code"])
