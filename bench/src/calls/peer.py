"""msl-loadlib as its documentation shows it: a Client64, and the library that comes with it. A line on standard input,
"CALLERS SECONDS", is answered with a line of JSON. A client has one connection, which its callers share."""
import json
import sys
import threading
import time

from msl.examples.loadlib import Cpp64

began = time.perf_counter()
client = Cpp64()
assert client.add(20, 3) == 23
print(json.dumps({"start_ms": (time.perf_counter() - began) * 1e3}), flush=True)
lock = threading.Lock()


def call_until(end, took):
    while (began := time.perf_counter()) < end:
        with lock:
            client.add(20, 3)
        took.append(time.perf_counter() - began)


for line in sys.stdin:
    callers, seconds = line.split()
    took = [[] for _ in range(int(callers))]
    began = time.perf_counter()
    threads = [threading.Thread(target=call_until, args=(began + float(seconds), one)) for one in took]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    took = sorted(sum(took, []))
    at = lambda share: took[min(int(len(took) * share), len(took) - 1)] * 1e6
    print(json.dumps({"calls_per_second": len(took) / elapsed, "p50_us": at(0.5), "p99_us": at(0.99)}), flush=True)

client.shutdown_server32()
