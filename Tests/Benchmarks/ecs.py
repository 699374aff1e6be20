#!/usr/bin/env python3
"""Measures the ECS workers `prefect worker start` and `prefect-worker start`, on one stand-in of AWS, in one run.

    PREFECT_API_URL=… AWS_ENDPOINT_URL=… Tests/Benchmarks/ecs.py [--worker PATH] [--prefect PATH] [--throttle] [N]

It needs `prefect` with prefect-aws, by default on PATH, and Python's standard library. The stand-in needs an image with
a shell: `--image`, by default busybox:lab. Each worker reaches the stand-in through a proxy within this program, which
counts requests. For N runs at once, by default 12, it measures:

- the requests to AWS that a run costs, by operation, those that were refused included;
- the time from the answer to a poll to the first request that runs the task;
- the greatest memory of the worker's process;
- the runs that were started, lost, and started twice.

With `--throttle`, the proxy answers every second request with ThrottlingException. All runs have a command of their
own, so that only the workers are measured. Pools and runs are removed.
"""

import argparse
import collections
import http.client
import http.server
import json
import os
import shutil
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse

sys.dont_write_bytecode = True

from compare import Proxy, describe
from lab import API, Worker, describe_program, find_program, print_table


class AWS(http.server.ThreadingHTTPServer):
    """A proxy in front of the stand-in that counts requests, and can refuse every second one."""

    daemon_threads, request_queue_size = True, 512
    # Requests that a worker sends for as long as it is idle.
    IDLE = {"ReceiveMessage", "GetQueueUrl", "ChangeMessageVisibility"}

    def __init__(self, url, throttles):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "http":
            sys.exit("AWS_ENDPOINT_URL has to begin with http://: the proxy does not speak TLS")
        super().__init__(("127.0.0.1", 0), Forwarder)
        self.target = (parts.hostname, parts.port or 80)
        self.throttles, self.lock = throttles, threading.Lock()
        self.reset()
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # A worker that ends closes its connections.

    def reset(self):
        with self.lock:
            self.count, self.refused, self.latest = 0, 0, time.time()
            self.operations = collections.Counter()
            self.asked = {}  # run id -> time of the first request that runs its task
            self.tokens = collections.defaultdict(set)  # run id -> the tokens of the requests that ran a task

    def note(self, operation, run):
        """Counts a request, and returns whether it is to be refused."""
        with self.lock:
            self.count += 1
            self.operations[operation] += 1
            if operation not in self.IDLE:
                self.latest = time.time()
            if run:
                self.asked.setdefault(run, time.time())
            is_refused = self.throttles and self.count % 2 == 0
            self.refused += is_refused
            return is_refused

    def note_tasks(self, run, token, answer):
        # AWS runs one task for requests of one token. A stand-in that is busy may run several.
        if answer.get("tasks"):
            with self.lock:
                self.tokens[run].add(token)

    def started(self):
        with self.lock:
            return set(self.tokens)


class Forwarder(http.server.BaseHTTPRequestHandler):
    """One connection of a worker. Its signatures cover the header `Host`, so the headers are forwarded unchanged."""

    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True
    connection_to_target = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        aws, body = self.server, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target")
        form = {} if target else dict(urllib.parse.parse_qsl(body.decode("latin-1")))
        operation = target.rpartition(".")[2] if target else form.get("Action", self.path)
        run = token = None
        if operation == "RunTask":
            request = json.loads(body)
            run = {tag["key"]: tag["value"] for tag in request.get("tags", [])}.get("prefect.io/flow-run-id")
            token = request.get("clientToken") or object()
        if aws.note(operation, run):
            self.refuse(target)
            return
        # A connection that the stand-in has closed meanwhile is opened again.
        for is_last in (False, True):
            connection = self.connection_to_target or http.client.HTTPConnection(*aws.target, timeout=120)
            self.connection_to_target = connection
            try:
                connection.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                data = answer.read()
                break
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                connection.close()
                self.connection_to_target = None
                if is_last:
                    raise
        if run and answer.status == 200:
            aws.note_tasks(run, token, json.loads(data))
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() in KEPT_HEADERS]
        self.answer(answer.status, kept, data)

    do_GET = do_PUT = do_POST

    def refuse(self, target):
        if target:
            text = json.dumps({"__type": "ThrottlingException", "message": "Rate exceeded"})
            headers = [("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-ErrorType", "ThrottlingException")]
        else:
            error = "<Error><Code>ThrottlingException</Code><Message>Rate exceeded</Message></Error>"
            text = f"<Response><Errors>{error}</Errors><RequestID>1</RequestID></Response>"
            headers = [("Content-Type", "text/xml")]
        self.answer(400, headers, text.encode())

    def answer(self, status, headers, data):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


KEPT_HEADERS = {"content-type", "x-amzn-errortype", "x-amzn-requestid", "x-amzn-query-error"}

Result = collections.namedtuple("Result", "operations refused memory delay started twice")


class Comparison:
    def __init__(self, api, options):
        self.api, self.options = api, options
        self.kinds = {"prefect worker": [options.prefect, "worker"], "prefect-worker": [options.worker]}
        self.rows, self.results = [], {}

    def measure(self, command):
        pool = self.api.make_ecs_pool()
        runs = self._make_runs(pool)
        variables = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
        aws = AWS(os.environ["AWS_ENDPOINT_URL"], self.options.throttle)
        variables["AWS_ENDPOINT_URL"] = aws.url
        proxy = Proxy(self.api.url)
        with tempfile.TemporaryDirectory(prefix="benchmark-", ignore_cleanup_errors=True) as directory:
            try:
                with Worker(
                    command, pool, proxy.url, directory, "benchmark", environment=variables, kind="ecs"
                ) as worker:
                    worker.wait("first poll", 120, proxy.first_poll)
                    aws.reset()
                    return self._run(pool, runs, proxy, aws, worker)
            finally:
                proxy.close()
                aws.shutdown()
                aws.server_close()
                self.api.remove_last_pool()

    def _make_runs(self, pool):
        """Creates all runs while the pool is paused, so that they become due at once."""
        self.api.call("PATCH", f"/work_pools/{pool}", {"is_paused": True})
        more = {"image": self.options.image, "cpu": 256, "memory": 512}
        deployment = self.api.make_deployment(pool, f"sleep {self.options.rest}", more)
        return {self.api.make_run(deployment) for _ in range(self.options.count)}

    def _run(self, pool, runs, proxy, aws, worker):
        self.api.call("PATCH", f"/work_pools/{pool}", {"is_paused": False})
        started, memory, since = 0, 0, time.time()
        # Until all runs have started, or none has for some time.
        while started < len(runs) and time.time() - since < self.options.patience:
            if worker.process.poll() is not None:
                raise SystemExit(f"the worker ended; see {worker.log.name}")
            time.sleep(1)
            memory = max(memory, worker.memory())
            if (now := len(aws.started() & runs)) > started:
                started, since = now, time.time()
        # Until the tasks have ended and the worker has dealt with their ends.
        time.sleep(self.options.rest + 5)
        end = time.time() + self.options.settle
        while time.time() < end and time.time() - aws.latest < 15:
            time.sleep(1)
            memory = max(memory, worker.memory())
        delays = [aws.asked[run] - proxy.offered[run] for run in runs & set(aws.asked) & set(proxy.offered)]
        twice = sum(len(aws.tokens[run]) > 1 for run in runs)
        result = Result(
            aws.operations.copy(), aws.refused, memory / 1024, statistics.median(delays or [0]), started, twice
        )
        worker.process.kill()
        return result

    def all(self):
        for name, command in self.kinds.items():
            self.results[name] = self.measure(command)
            print(f"  {name}: {describe(self.results[name])}", file=sys.stderr, flush=True)
        count = self.options.count
        per_run = lambda result: sum(result.operations.values()) / max(1, result.started)
        self.add("requests to AWS a run", per_run, "", 1)
        self.add("requests that were refused", lambda result: result.refused, "")
        self.add("greatest memory (PSS)", lambda result: result.memory, "MB", 1)
        self.add("poll to RunTask (median)", lambda result: result.delay * 1000, "ms")
        self.add("runs that were started", lambda result: result.started, "")
        self.add("runs that were lost", lambda result: count - result.started, "")
        self.add("runs that were started twice", lambda result: result.twice, "")

    def add(self, title, measure, unit, digits=0):
        theirs, ours = (measure(self.results[name]) for name in ("prefect worker", "prefect-worker"))
        cells = [f"{value:.{digits}f} {unit}".strip() for value in (theirs, ours)]
        self.rows.append([title, *cells, f"{theirs / ours:.1f}" if ours else "-"])

    def report(self):
        names = list(self.kinds)
        print_table([["", *names, "ratio"], *self.rows])
        operations = sorted({operation for result in self.results.values() for operation in result.operations})
        print(f"\nRequests for {self.options.count} runs, by operation:\n")
        rows = []
        for operation in operations:
            rows.append([operation, *(str(self.results[name].operations[operation]) for name in names)])
        print_table([["operation", *names], *rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("count", type=int, nargs="?", default=12, metavar="N", help="the number of runs (default: 12)")
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our binary (default: %(default)s)")
    parser.add_argument("--prefect", default=shutil.which("prefect"), help="Prefect with prefect-aws (default: on PATH)")
    parser.add_argument("--image", default="busybox:lab", help="an image with a shell (default: %(default)s)")
    parser.add_argument("--rest", type=int, default=20, help="how long a run lasts, in seconds (default: %(default)s)")
    parser.add_argument("--throttle", action="store_true", help="refuse every second request to AWS")
    parser.add_argument(
        "--patience", type=int, default=120, help="seconds without a start after which the rest is lost (default: 120)"
    )
    parser.add_argument(
        "--settle", type=int, default=300, help="seconds for the worker to become idle at the end (default: 300)"
    )
    options = parser.parse_args()
    url = os.environ.get("PREFECT_API_URL")
    if not url or not os.environ.get("AWS_ENDPOINT_URL"):
        sys.exit("PREFECT_API_URL and AWS_ENDPOINT_URL have to name the server and the stand-in to measure with")
    if not options.prefect:
        sys.exit("`prefect` is not on PATH; name it by --prefect")
    options.worker = find_program(options.worker)
    print(f"{describe_program(options.worker)}, {os.cpu_count()} CPUs\n", flush=True)
    api = API(url)
    comparison = Comparison(api, options)
    try:
        comparison.all()
        comparison.report()
    finally:
        while api.pools:
            api.remove_last_pool()


if __name__ == "__main__":
    main()
