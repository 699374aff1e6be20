#!/usr/bin/env python3
"""Measures the Docker workers `prefect worker start` and `prefect-worker start`, on one Engine, in one run.

    PREFECT_API_URL=… DOCKER_HOST=unix:///… Tests/Benchmarks/docker.py [--worker PATH] [--quick]

It needs `prefect` with prefect-docker and `docker` on PATH, and Python's standard library. It also needs an image with
a shell: `--image`, by default busybox:lab. Each worker reaches the Engine and the API through counting proxies within
this program. It measures:

- the Engine requests that a run costs, by route;
- the time from the answer to a poll to the start of the run's container, one run at a time and many at once;
- the resident memory of the worker's process with many containers in flight.

All runs have a command of their own, so that only the workers are measured. Pools, runs and containers are removed.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

from compare import Proxy, copy_body, describe, read_head
from lab import API, Worker, describe_program, find_program, print_table

HEXADECIMAL = re.compile(r"[0-9a-f]{64}")


class EngineProxy:
    """Forwards connections, including streams, to the Engine's socket, and counts the requests by route."""

    def __init__(self, target, directory):
        self.target, self.path = target, directory + "/engine.sock"
        self.lock, self.counts = threading.Lock(), {}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(512)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def routes(self):
        with self.lock:
            return dict(self.counts)

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, socket.socket(socket.AF_UNIX) as server:
                server.connect(self.target)
                incoming, answers = client.makefile("rb"), server.makefile("rb")
                while True:
                    head, headers = read_head(incoming)
                    if head is None:
                        return
                    self._note(head[0].decode("latin-1"))
                    server.sendall(b"\r\n".join(head) + b"\r\n\r\n")
                    copy_body(incoming, headers, server, False)
                    head, headers = read_head(answers)
                    if head is None:
                        return
                    client.sendall(b"\r\n".join(head) + b"\r\n\r\n")
                    if not head[0].split(b" ")[1] in (b"204", b"304"):
                        self._copy(answers, headers, client)
        except (OSError, ValueError):
            pass  # One side has closed its connection, so the connection to the other side is closed too.

    def _copy(self, answers, headers, client):
        """Forwards each part of a body as it arrives, because a body may never end."""
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                line = answers.readline(1024)
                size = int(line.split(b";")[0], 16)
                client.sendall(line + answers.read(size + 2))
                if size == 0:
                    return
        if "content-length" in headers:
            client.sendall(answers.read(int(headers["content-length"])))
            return
        while data := answers.read1(65536):
            client.sendall(data)
        raise ValueError("the answer ended with its connection")

    def _note(self, line):
        method, path, _ = line.split(" ", 2)
        path = re.sub(r"^/v\d[\d.]*", "", path.split("?")[0])
        path = re.sub(r"^/images/.+/json$", "/images/{name}/json", HEXADECIMAL.sub("{id}", path))
        with self.lock:
            self.counts[f"{method} {path}"] = self.counts.get(f"{method} {path}", 0) + 1


def docker(*arguments):
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def containers(pool, running=False):
    label = f"label=io.prefect.work-pool-name={pool}"
    return docker("ps", "-q", "--filter", label, *([] if running else ["-a"])).split()


def starts(pool):
    """The start time of the container of each run, in seconds since 1970."""
    ids = containers(pool)
    found = {}
    for container in json.loads(docker("inspect", *ids)) if ids else []:
        text = container["State"]["StartedAt"]
        if not text.startswith("0001"):
            whole = datetime.datetime.fromisoformat(text[:19] + "+00:00").timestamp()
            fraction = re.match(r"\.\d+", text[19:])
            run = container["Config"]["Labels"]["io.prefect.flow-run-id"]
            found[run] = whole + (float(fraction[0]) if fraction else 0)
    return found


def settle(worker, wanted, count, patience=30):
    """Waits until the count is as wanted, or does not grow for a while, because some runs may have failed.

    Returns the largest count.
    """
    most, since = 0, time.time()
    while most < wanted and time.time() - since < patience + (0 if most else 60):
        if worker.process.poll() is not None:
            raise SystemExit(f"the worker ended; see {worker.log.name}")
        time.sleep(1)
        if (now := count()) > most:
            most, since = now, time.time()
    return most


class MeasuredWorker(Worker):
    def __init__(self, command, pool, api, directory, engine):
        self.proxy, self.engine = Proxy(api.url), EngineProxy(engine, directory)
        host = {"DOCKER_HOST": "unix://" + self.engine.path}
        super().__init__(command, pool, self.proxy.url, directory, "benchmark", environment=host, kind="docker")

    def __exit__(self, *_):
        super().__exit__()
        self.proxy.close()
        self.engine.close()

    def delays(self, pool):
        """The milliseconds from the poll that returned each run to the start of the run's container."""
        return [(when - self.proxy.offered[run]) * 1000 for run, when in starts(pool).items()]


class Comparison:
    def __init__(self, api, options):
        self.api, self.options = api, options
        self.kinds = {"prefect worker": [shutil.which("prefect"), "worker"], "prefect-worker": [options.worker]}
        self.rows, self.routes = [], {}

    def measure(self, title, one):
        print(title, file=sys.stderr, flush=True)
        results = {}
        for name, command in self.kinds.items():
            pool = self.api.make_docker_pool()
            with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as directory:
                try:
                    with MeasuredWorker(command, pool, self.api, directory, self.options.engine) as worker:
                        results[name] = one(pool, worker)
                        worker.process.kill()
                finally:
                    if left := containers(pool):
                        docker("rm", "-f", *left)
                    self.api.remove_last_pool()
            print(f"  {name}: {describe(results[name])}", file=sys.stderr, flush=True)
        return results

    def add(self, title, values, unit, digits=0):
        ours, theirs = values["prefect-worker"], values["prefect worker"]
        cells = [f"{value:.{digits}f} {unit}".strip() for value in (theirs, ours)]
        self.rows.append([title, *cells, f"{theirs / ours:.1f}" if ours else "-"])

    def deployment(self, pool, command):
        more = {"image": self.options.image, "image_pull_policy": "IfNotPresent", "network_mode": "none"}
        return self.api.make_deployment(pool, command, more)

    def burst(self):
        count = self.options.burst

        def one(pool, worker):
            worker.wait("first poll", 120, worker.proxy.first_poll)
            deployment = self.deployment(pool, "sh -c 'echo one; sleep 1'")
            for _ in range(count):
                self.api.make_run(deployment)
            started = settle(worker, count, lambda: len(starts(pool)))
            worker.wait("end of all", 300, lambda: time.sleep(0.5) or not containers(pool, running=True))
            worker.wait("rest", 120, lambda: time.time() - worker.proxy.last_request() > 5)
            return worker.engine.routes(), statistics.median(worker.delays(pool)), started

        results = self.measure(f"Engine requests, and delay with {count} runs at once", one)
        self.routes = {name: result[0] for name, result in results.items()}
        totals = {name: sum(routes.values()) / results[name][2] for name, routes in self.routes.items()}
        self.add("Engine requests a run", totals, "", 1)
        delays = {name: result[1] for name, result in results.items()}
        self.add(f"poll to container start, {count} at once (median)", delays, "ms")

    def singles(self):
        def one(pool, worker):
            worker.wait("first poll", 120, worker.proxy.first_poll)
            deployment = self.deployment(pool, "true")
            for number in range(self.options.singles):
                self.api.make_run(deployment)
                worker.wait("started container", 60, lambda: time.sleep(0.2) or len(starts(pool)) > number)
            return statistics.median(worker.delays(pool))

        self.add("poll to container start, one at a time (median)", self.measure("delay of single runs", one), "ms")

    def memory(self):
        count = self.options.sleepers

        def one(pool, worker):
            deployment = self.deployment(pool, "sleep 600")
            for _ in range(count):
                self.api.make_run(deployment)
            started = settle(worker, count, lambda: len(containers(pool, running=True)))
            time.sleep(self.options.settle)
            return worker.memory() / 1024, started

        results = self.measure(f"memory with {count} containers", one)
        sizes = {name: size for name, (size, _) in results.items()}
        counts = " and ".join(str(results[name][1]) for name in self.kinds)
        self.add(f"PSS, {counts} containers in flight", sizes, "MB", 1)

    def report(self):
        names = list(self.kinds)
        print_table([["", *names, "ratio"], *self.rows])
        routes = sorted({route for counts in self.routes.values() for route in counts})
        print(f"\nEngine requests for {self.options.burst} runs, by route:\n")
        print_table([["route", *names]] + [[r, *(str(self.routes[n].get(r, 0)) for n in names)] for r in routes])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our binary (default: %(default)s)")
    parser.add_argument("--image", default="busybox:lab", help="an image with a shell (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few runs, to see that all works; numbers to be distrusted")
    options = parser.parse_args()
    url, host = os.environ.get("PREFECT_API_URL"), os.environ.get("DOCKER_HOST", "")
    if not url:
        sys.exit("PREFECT_API_URL is not set: name the server to measure with")
    if not host.startswith("unix://"):
        sys.exit("DOCKER_HOST has to be a socket, unix:///…, for the proxy to stand before it")
    for program in ("prefect", "docker"):
        if not shutil.which(program):
            sys.exit(f"`{program}` is not on PATH")
    options.worker, options.engine = find_program(options.worker), host.removeprefix("unix://")
    options.burst, options.singles, options.sleepers, options.settle = 20, 7, 50, 5
    if options.quick:
        options.burst, options.singles, options.sleepers, options.settle = 4, 2, 5, 2
    print(f"{describe_program(options.worker)}, {os.cpu_count()} CPUs\n", flush=True)
    api = API(url)
    comparison = Comparison(api, options)
    try:
        comparison.singles()
        comparison.burst()
        comparison.memory()
        comparison.report()
    finally:
        while api.pools:
            api.remove_last_pool()


if __name__ == "__main__":
    main()
