"""Calls 32-bit libraries from Python, with the client that openapi-python-client has generated."""

import base64
import sys

from bridge32_client import Client
from bridge32_client.api.calls import call_function
from bridge32_client.api.demo import demo_distance, demo_divide, demo_round
from bridge32_client.api.kernel32 import kernel_32_get_local_time
from bridge32_client.api.libraries import list_exports
from bridge32_client.api.z import z_crc32
from bridge32_client.api.zw import zw_crc32
from bridge32_client.models import (
    CallFunctionBody,
    DemoDemoPointInput,
    DemoDemoRoundingName,
    DemoDistanceArguments,
    DemoDivideArguments,
    DemoRoundArguments,
    Problem,
    ZCrc32Arguments,
    ZwCrc32Arguments,
)
from httpx_auth import BridgeAuth

client = Client(base_url=sys.argv[1], httpx_args={"auth": BridgeAuth.from_environment()})


def answer(reply):
    """What the library answered; what went wrong is an exception."""
    if isinstance(reply, Problem):
        raise RuntimeError(f"{reply.code}: {reply.detail}")
    return reply


# Bytes travel as base64. Their length, which C needs, may be left out.
hello = base64.b64encode(b"hello").decode()
crc = answer(z_crc32.sync(client=client, body=ZCrc32Arguments(crc=0, buf=hello)))
print(f'zlib for Linux:   crc32("hello") = {crc.result:08x}')
crc = answer(zw_crc32.sync(client=client, body=ZwCrc32Arguments(crc=0, buf=hello)))
print(f'zlib for Windows: crc32("hello") = {crc.result:08x}')

# What C returns through pointers is in `outputs`.
divided = answer(demo_divide.sync(client=client, body=DemoDivideArguments(dividend=17, divisor=5)))
print(f"17 / 5 = {divided.outputs.quotient}, remainder {divided.outputs.remainder}")

up = DemoRoundArguments(value=2.5, rounding=DemoDemoRoundingName.DEMO_UP)
print(f"2.5 rounded up = {answer(demo_round.sync(client=client, body=up)).result}")

places = DemoDistanceArguments(from_=DemoDemoPointInput(x=0, y=0), to=DemoDemoPointInput(x=3, y=4))
print(f"from (0, 0) to (3, 4): {answer(demo_distance.sync(client=client, body=places)).result:g}")

now = answer(kernel_32_get_local_time.sync(client=client)).outputs.lp_system_time
print(f"Windows says it is {now.w_year}-{now.w_month:02}-{now.w_day:02} {now.w_hour:02}:{now.w_minute:02}")

# Queries and names in any script are signed, too.
print(f'exports of demo with "di": {list_exports.sync("demo", client=client, filter_="di").total}')
problem = call_function.sync("bücher", "öffne", client=client, body=CallFunctionBody())
print(f"a library that is not there: {problem.status} {problem.code}")

# Wrong calls, by the operation that takes any function: a type checker would not let these through the others.
for what, function, arguments in [
    ("a missing argument", "Divide", {"dividend": 17}),
    ("a string for a number", "Divide", {"dividend": "17", "divisor": 5}),
    ("2^40 for an int", "Divide", {"dividend": 2**40, "divisor": 5}),
    ("an unknown enumerator", "Round", {"value": 2.5, "rounding": "DEMO_SIDEWAYS"}),
]:
    body = CallFunctionBody.from_dict(arguments)
    problem = call_function.sync("demo", function, client=client, body=body)
    print(f"{what}: {problem.status} {problem.pointer}: {problem.detail}")
