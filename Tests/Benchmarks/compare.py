#!/usr/bin/env python3
"""Compares `prefect worker start` with `prefect-worker start`, on one server, in one run.

    PREFECT_API_URL=http://127.0.0.1:4200/api Tests/Benchmarks/compare.py [--worker PATH] [--runs N] [--quick]

It needs `prefect` on PATH and Python's standard library. The two workers take turns, so that other load on the machine
affects both. Each reaches the API through a counting proxy within this program. It measures:

- the time from exec to the first poll;
- the resident memory of the worker's process, idle and with sleeping runs in flight;
- the API requests that a run costs, by route, with log batches, polls and heartbeats separate;
- the time from the answer to a poll to the exec of the run's command, one run at a time and many at once.

All runs have a command of their own, so that only the workers are measured and never a flow's Python. The program
creates pools, a flow, deployments and runs with new names and removes them at the end.
"""

import argparse
import json
import os
import re
import select
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

sys.dont_write_bytecode = True

from lab import API, Worker, find_program, print_table

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
POLL = "get_scheduled_flow_runs"
TURNED_AWAY = "(turned away by a busy server)"


class Proxy:
    """Forwards connections to the API and notes every request, but no messages after an upgrade."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http":
            sys.exit("PREFECT_API_URL has to begin with http://: the proxy does not speak TLS")
        self.target = (parts.hostname, parts.port or 80)
        self.base = parts.path.rstrip("/")
        self.lock = threading.Lock()
        self.requests = []  # [time, method, route, status]
        self.offered = {}  # run id -> time of the answer to the poll that offered it
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}{self.base}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def first_poll(self):
        with self.lock:
            return next((when for when, _, route, _ in self.requests if route.endswith(POLL)), None)

    def last_request(self):
        """The time of the last request that is neither a poll nor a heartbeat."""
        with self.lock:
            return max((when for when, _, route, _ in self.requests if is_work(route)), default=0)

    def routes(self):
        """The number of requests by route. Requests that a busy server refused count under a separate name."""
        counts = {}
        with self.lock:
            for _, method, route, status in self.requests:
                name = TURNED_AWAY if status in (429, 503) else f"{method} {route}"
                counts[name] = counts.get(name, 0) + 1
        return counts

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client, socket.create_connection(self.target) as server:
                for end in (client, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                incoming, answers = client.makefile("rb"), server.makefile("rb")
                while self._exchange(client, server, incoming, answers):
                    pass
        except (OSError, ValueError):
            pass  # One side has closed its connection, so the connection to the other side is closed too.

    def _exchange(self, client, server, incoming, answers):
        # After the server closes a connection, the client must not use it again.
        if client not in select.select([client, server], [], [])[0]:
            return False
        head, headers = read_head(incoming)
        if head is None:
            return False
        method, path, _ = head[0].decode("latin-1").split(" ", 2)
        route = self._route(path)
        request = [time.time(), method, route, None]
        with self.lock:
            self.requests.append(request)
        # The proxy reads the answers, so they must not be compressed.
        kept = [line for line in head if not line.lower().startswith(b"accept-encoding:")]
        server.sendall(b"\r\n".join(kept) + b"\r\n\r\n")
        copy_body(incoming, headers, server, False)
        head, headers = read_head(answers)
        if head is None:
            return False
        status = request[3] = int(head[0].split(b" ")[1])
        if status == 101:
            client.sendall(b"\r\n".join(head) + b"\r\n\r\n")
            back = threading.Thread(target=pipe, args=(answers, client), daemon=True)
            back.start()
            pipe(incoming, server)
            back.join()
            return False
        whole = [b"\r\n".join(head) + b"\r\n\r\n"]
        body = b"" if status in (204, 304) else copy_body(answers, headers, whole, True)
        client.sendall(b"".join(whole))
        if route.endswith(POLL) and status == 200:
            self._note_offers(body)
        return headers.get("connection", "").lower() != "close"

    def _note_offers(self, body):
        now = time.time()
        for item in json.loads(body):
            with self.lock:
                self.offered.setdefault(item["flow_run"]["id"], now)

    def _route(self, path):
        route = UUID.sub("{id}", path.split("?")[0].removeprefix(self.base))
        return re.sub(r"/work_pools/[^/]+", "/work_pools/{name}", route)


def is_work(route):
    return not (route.endswith(POLL) or route.endswith("/heartbeat"))


def read_head(file):
    """The lines before the body, and the headers by their names in lower case; (None, {}) at the end of the stream."""
    lines = []
    while True:
        line = file.readline(65536)
        if not line:
            return None, {}
        line = line.rstrip(b"\r\n")
        if not line:
            break
        lines.append(line)
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:])
    return lines, {name.strip().lower(): value.strip() for name, _, value in pairs}


def copy_body(file, headers, sink, is_answer):
    """Copies a body unchanged to a socket or a list, and returns its content."""
    put = sink.append if isinstance(sink, list) else sink.sendall
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        text = b""
        while True:
            line = file.readline(1024)
            put(line)
            size = int(line.split(b";")[0], 16)
            chunk = file.read(size + 2)
            put(chunk)
            text += chunk[:-2]
            if size == 0:
                return text
    length = headers.get("content-length")
    if length is None:
        if not is_answer:
            return b""
        body = file.read()  # The answer ends when the connection ends.
        headers["connection"] = "close"
    else:
        body = file.read(int(length))
    put(body)
    return body


def pipe(file, sink):
    try:
        while data := file.read1(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class MeasuredWorker(Worker):
    """A worker of one kind on a pool, with a proxy of its own."""

    def __init__(self, command, pool, api, directory):
        self.proxy = Proxy(api.url)
        super().__init__(command, pool, self.proxy.url, directory, "benchmark")

    def __exit__(self, *_):
        super().__exit__()
        self.proxy.close()

    def wait_for_first_poll(self):
        return self.wait("first poll", 120, self.proxy.first_poll) - self.began


def sleepers(marker):
    """The ids of the processes that run `sleep MARKER`."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    if file.read().split(b"\0")[:2] == [b"sleep", marker.encode()]:
                        found.append(int(entry))
            except OSError:
                pass  # The process has ended.
    return found


class Comparison:
    def __init__(self, api, options):
        self.api, self.options = api, options
        self.kinds = {"prefect worker": [shutil.which("prefect"), "worker"], "prefect-worker": [options.worker]}
        self.rows = []
        self.routes = {}

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def measure(self, times, one):
        """Measures the kinds in turns, and returns the results of each kind by its name."""
        results = {name: [] for name in self.kinds}
        for turn in range(times):
            for name, command in self.kinds.items():
                pool = self.api.make_pool()
                with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as directory:
                    result = one(pool, directory, lambda: MeasuredWorker(command, pool, self.api, directory))
                self.api.remove_last_pool()
                results[name].append(result)
                self.say(f"  {name}, turn {turn + 1}: {describe(result)}")
        return results

    def add(self, title, results, unit, digits=0):
        values = [statistics.median(results[name]) for name in self.kinds]
        ratio = f"{values[0] / values[1]:.1f}" if values[1] else "-"
        self.rows.append([title, *(f"{value:.{digits}f} {unit}".strip() for value in values), ratio])

    def start_and_idle(self):
        def one(pool, directory, start):
            with start() as worker:
                seconds = worker.wait_for_first_poll()
                time.sleep(self.options.settle)
                return seconds * 1000, worker.memory() / 1024, worker.memory("Anonymous") / 1024

        self.say("start, and memory when idle")
        results = self.measure(self.options.runs, one)
        self.add("exec to first poll", {name: [each[0] for each in got] for name, got in results.items()}, "ms")
        self.add("PSS, idle", {name: [each[1] for each in got] for name, got in results.items()}, "MB", 1)
        self.add("anonymous, idle", {name: [each[2] for each in got] for name, got in results.items()}, "MB", 1)

    def many_sleepers(self):
        count = self.options.sleepers

        def one(pool, directory, start):
            # No other sleep has these decimals.
            marker = f"600.{uuid.uuid4().int % 10**9:09d}"
            deployment = self.api.make_deployment(pool, f"sleep {marker}")
            for _ in range(count):
                self.api.make_run(deployment)
            with start() as worker:
                try:
                    worker.wait(f"{count} runs", 900, lambda: time.sleep(0.5) or len(sleepers(marker)) >= count)
                    time.sleep(self.options.settle)
                    return worker.memory() / 1024
                finally:
                    worker.process.kill()
                    for process in sleepers(marker):
                        os.kill(process, signal.SIGKILL)

        self.say(f"memory with {count} sleeping runs")
        self.add(f"PSS, {count} runs in flight", self.measure(1, one), "MB", 1)

    def requests_and_burst(self):
        count = self.options.burst

        def one(pool, directory, start):
            deployment = self.api.make_deployment(pool, stamp(directory))
            for _ in range(count):
                self.api.make_run(deployment)
            with start() as worker:
                proxy = worker.proxy
                worker.wait(f"{count} executed runs", 600, lambda: len(stamps(directory)) >= count)
                worker.wait("rest", 120, lambda: time.time() - proxy.last_request() > 6)
                times = stamps(directory)
                delays = [(times[run] - proxy.offered[run]) * 1000 for run in times]
                return proxy.routes(), statistics.median(delays)

        self.say(f"requests, and delay with {count} runs at once")
        results = self.measure(1, one)
        self.routes = {name: got[0][0] for name, got in results.items()}

        def total(wanted):
            return {
                name: [sum(n for route, n in routes.items() if wanted(route)) / count]
                for name, routes in self.routes.items()
            }

        logs = "POST /logs/"
        apart = (logs, TURNED_AWAY)
        self.add("requests a run, without logs", total(lambda route: is_work(route) and route not in apart), "", 2)
        self.add("log batches a run", total(lambda route: route == logs), "", 2)
        delays = {name: [got[0][1]] for name, got in results.items()}
        self.add(f"poll to exec, {count} at once (median)", delays, "ms")

    def single_delay(self):
        def one(pool, directory, start):
            deployment = self.api.make_deployment(pool, stamp(directory))
            delays = []
            with start() as worker:
                worker.wait_for_first_poll()
                for _ in range(self.options.singles):
                    run = self.api.make_run(deployment)
                    began = worker.wait("executed run", 60, lambda: stamps(directory).get(run))
                    offered = worker.wait("offered run", 5, lambda: worker.proxy.offered.get(run))
                    delays.append((began - offered) * 1000)
            return statistics.median(delays)

        self.say("delay of single runs")
        self.add("poll to exec, one at a time (median)", self.measure(1, one), "ms")

    def report(self):
        names = list(self.kinds)
        print_table([["", *names, "ratio"], *self.rows])
        routes = sorted({route for counts in self.routes.values() for route in counts})
        print(f"\nRequests for {self.options.burst} runs, by route:\n")
        print_table([["route", *names]] + [[r, *(str(self.routes[n].get(r, 0)) for n in names)] for r in routes])


def stamp(directory):
    """A command that notes the time of its start."""
    path = directory + "/stamp"
    with open(path, "w") as script:
        # The file is renamed when it is complete, so that nobody reads a part of it.
        script.write(
            '#!/bin/sh\nnow=$(date +%s.%N)\nfile="$HOME/stamp-$PREFECT__FLOW_RUN_ID"\n'
            'echo "$now" >"$file.new" && mv "$file.new" "$file"\n'
        )
    os.chmod(path, 0o755)
    return path


def stamps(directory):
    found = {}
    for name in os.listdir(directory):
        if name.startswith("stamp-") and not name.endswith(".new"):
            with open(f"{directory}/{name}") as file:
                found[name.removeprefix("stamp-")] = float(file.read())
    return found


def describe(result):
    parts = result if isinstance(result, tuple) else (result,)
    return ", ".join(f"{part:.1f}" for part in parts if isinstance(part, float))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our binary (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=7, help="starts of each worker, for the medians (default: 7)")
    parser.add_argument("--quick", action="store_true", help="few runs, to see that all works; numbers to be distrusted")
    options = parser.parse_args()
    url = os.environ.get("PREFECT_API_URL")
    if not url:
        sys.exit("PREFECT_API_URL is not set: name the server to measure with")
    if not shutil.which("prefect"):
        sys.exit("`prefect` is not on PATH: install Prefect to compare with")
    options.worker = find_program(options.worker)
    options.sleepers, options.burst, options.singles, options.settle = 200, 40, 10, 5
    if options.quick:
        options.runs, options.sleepers, options.burst, options.singles, options.settle = 1, 10, 5, 2, 2

    versions = [
        subprocess.run(command, capture_output=True, text=True).stdout.strip().split("\n")[0]
        for command in (["prefect", "--version"], [options.worker, "--version"])
    ]
    print(f"Prefect {versions[0]} and {versions[1]}, {os.cpu_count()} CPUs, medians of {options.runs} starts")
    if "/debug/" in options.worker:
        print("prefect-worker is a DEBUG build: slower and larger than a release build")
    if options.quick:
        print("--quick: too few runs for numbers to be trusted")
    print(flush=True)

    api = API(url)
    comparison = Comparison(api, options)
    try:
        comparison.start_and_idle()
        comparison.single_delay()
        comparison.requests_and_burst()
        comparison.many_sleepers()
        comparison.report()
    finally:
        while api.pools:
            api.remove_last_pool()


if __name__ == "__main__":
    main()
