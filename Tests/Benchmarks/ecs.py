#!/usr/bin/env python3
"""Measures the ECS workers `prefect worker start` and `prefect-worker start`, on one stand-in of AWS, in one run.

    PREFECT_API_URL=… AWS_ENDPOINT_URL=… Tests/Benchmarks/ecs.py [--worker PATH] [--prefect PATH] [--throttle] N

It needs `prefect` with prefect-aws, by default on PATH, and Python's standard library. The stand-in lists its requests
under `/_lab/calls` and takes faults under `/_lab/faults`. It needs an image with a shell: `--image`, by default
busybox:lab. For N runs at once, it measures:

- the requests to AWS that a run costs, by operation;
- the time from the answer to a poll to the request that runs the task;
- the resident memory of the worker's process with all runs in flight;
- the number of runs that were started, also while requests are throttled.

All runs have a command of their own, so that only the workers are measured. Pools and runs are removed.
"""

import argparse
import collections
import datetime
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.request

sys.dont_write_bytecode = True

from compare import Proxy, describe
from lab import API, Worker, describe_program, find_program, print_table


class StandIn:
    """The stand-in of AWS."""

    def __init__(self, url):
        self.url = url.rstrip("/")

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def requests(self):
        return self.call("GET", "/_lab/calls")

    def runs(self):
        """The time of the request that ran the task of each flow run, in seconds since 1970."""
        found = {}
        for request in self.requests():
            if request["operation"] != "RunTask":
                continue
            tags = {tag["key"]: tag["value"] for tag in json.loads(request["body"]).get("tags", [])}
            when = datetime.datetime.fromisoformat(request["at"].replace("Z", "+00:00")).timestamp()
            found.setdefault(tags.get("prefect.io/flow-run-id"), when)
        return found


class Throttle:
    """Refuses some requests: a fault of each operation is renewed after it has been used. Bursts are faster than that."""

    OPERATIONS = ["RunTask", "DescribeTasks", "RegisterTaskDefinition", "DescribeTaskDefinition"]

    def __init__(self, stand_in):
        self.stand_in, self.ended = stand_in, threading.Event()
        self.thread = threading.Thread(target=self._renew, daemon=True)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.stand_in.call("DELETE", "/_lab/faults")

    def _renew(self):
        seen = collections.Counter()
        while not self.ended.is_set():
            now = collections.Counter(request["operation"] for request in self.stand_in.requests())
            for operation in self.OPERATIONS:
                if now[operation] >= seen[operation]:
                    fault = {"match": f"^{operation}$", "error": "ThrottlingException", "message": "Rate exceeded"}
                    self.stand_in.call("POST", "/_lab/faults", fault)
                    seen[operation] = now[operation] + 2
            time.sleep(0.05)


class Comparison:
    def __init__(self, api, stand_in, options):
        self.api, self.stand_in, self.options = api, stand_in, options
        self.kinds = {"prefect worker": [options.prefect, "worker"], "prefect-worker": [options.worker]}
        self.rows, self.operations = [], {}

    def measure(self, command):
        pool = self.api.make_ecs_pool()
        aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as folder:
            proxy = Proxy(self.api.url)
            try:
                with Worker(command, pool, proxy.url, folder, "benchmark", environment=aws, kind="ecs") as worker:
                    worker.wait("first poll", 120, proxy.first_poll)
                    self.stand_in.call("DELETE", "/_lab/calls")
                    return self._run(pool, proxy, worker)
            finally:
                proxy.close()
                self.api.remove_last_pool()

    def _run(self, pool, proxy, worker):
        more = {"image": self.options.image, "cpu": 256, "memory": 512}
        deployment = self.api.make_deployment(pool, f"sleep {self.options.rest}", more)
        runs = [self.api.make_run(deployment) for _ in range(self.options.count)]
        started, most, since = {}, 0, time.time()
        while len(started) < len(runs) and time.time() - since < 60:
            if worker.process.poll() is not None:
                raise SystemExit(f"the worker ended; see {worker.log.name}")
            time.sleep(1)
            started = {run: when for run, when in self.stand_in.runs().items() if run in runs}
            if len(started) > most:
                most, since = len(started), time.time()
        memory = worker.memory() / 1024
        time.sleep(self.options.rest + 20)
        counts = collections.Counter(request["operation"] for request in self.stand_in.requests())
        delays = [when - proxy.offered[run] for run, when in started.items() if run in proxy.offered]
        worker.process.kill()
        return counts, memory, statistics.median(delays or [0]), len(started)

    def all(self):
        results = {}
        for name, command in self.kinds.items():
            if self.options.throttle:
                with Throttle(self.stand_in):
                    results[name] = self.measure(command)
            else:
                results[name] = self.measure(command)
            print(f"  {name}: {describe(results[name])}", file=sys.stderr, flush=True)
        self.operations = {name: result[0] for name, result in results.items()}
        requests = {name: sum(result[0].values()) / max(1, result[3]) for name, result in results.items()}
        self.add("requests to AWS a run", requests, "", 1)
        self.add("memory (PSS), all runs in flight", {name: result[1] for name, result in results.items()}, "MB", 1)
        self.add("poll to RunTask (median)", {name: result[2] * 1000 for name, result in results.items()}, "ms")
        self.add("started runs", {name: result[3] for name, result in results.items()}, "")

    def add(self, title, values, unit, digits=0):
        ours, theirs = values["prefect-worker"], values["prefect worker"]
        cells = [f"{value:.{digits}f} {unit}".strip() for value in (theirs, ours)]
        self.rows.append([title, *cells, f"{theirs / ours:.1f}" if ours else "-"])

    def report(self):
        names = list(self.kinds)
        print_table([["", *names, "ratio"], *self.rows])
        operations = sorted({operation for counts in self.operations.values() for operation in counts})
        print(f"\nRequests for {self.options.count} runs, by operation:\n")
        rows = [[operation, *(str(self.operations[name][operation]) for name in names)] for operation in operations]
        print_table([["operation", *names], *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, metavar="N", help="the number of runs")
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our binary (default: %(default)s)")
    parser.add_argument("--prefect", default=shutil.which("prefect"), help="Prefect with prefect-aws (default: on PATH)")
    parser.add_argument("--image", default="busybox:lab", help="an image with a shell (default: %(default)s)")
    parser.add_argument("--rest", type=int, default=20, help="how long a run lasts, in seconds (default: %(default)s)")
    parser.add_argument("--throttle", action="store_true", help="refuse some requests of each operation")
    options = parser.parse_args()
    url, aws = os.environ.get("PREFECT_API_URL"), os.environ.get("AWS_ENDPOINT_URL")
    if not url or not aws:
        sys.exit("PREFECT_API_URL and AWS_ENDPOINT_URL have to name the server and the stand-in to measure with")
    if not options.prefect:
        sys.exit("`prefect` is not on PATH; name it by --prefect")
    options.worker = find_program(options.worker)
    print(f"{describe_program(options.worker)}, {os.cpu_count()} CPUs\n", flush=True)
    api = API(url)
    comparison = Comparison(api, StandIn(aws), options)
    try:
        comparison.all()
        comparison.report()
    finally:
        while api.pools:
            api.remove_last_pool()


if __name__ == "__main__":
    main()
