#!/usr/bin/env python3
"""Compares this client of the Prefect API with Prefect's own, on one server, in one run.

    swift build -c release --package-path Tests/Benchmarks/client-benchmark
    PREFECT_API_URL=http://127.0.0.1:4200/api Tests/Benchmarks/client.py [--calls N] [--runs N] [--quick]

It needs a Python with `prefect`, which `--python` names. Each kind of work runs in a new process of each client:

- reads of one flow of the server at PREFECT_API_URL, one after the other and 64 at a time;
- the decoding of a page of 200 flow runs, without a request;
- a follower of 10,000 flow runs by pages of 200, which a server within this program returns.

The CPU time is that of the client's process alone, so the load of the server hardly affects it. The program creates one
flow and deletes it at the end.
"""

import argparse
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import uuid

sys.dont_write_bytecode = True

from lab import API, find_program, print_table

DIRECTORY = os.path.dirname(os.path.abspath(__file__))
PAGE = 200

PYTHON = """
import asyncio, json, resource, sys, time
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

target, mode, count = sys.argv[1], sys.argv[2], int(sys.argv[3])

def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

def memory(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])

async def measure(work):
    start, used, before = time.monotonic(), cpu(), memory("VmRSS:")
    done = await work()
    print(json.dumps({"done": done, "seconds": time.monotonic() - start, "cpu": cpu() - used, "before": before,
                      "peak": memory("VmHWM:")}))

async def decode():
    text = open(target, "rb").read()
    # The client reads the answer's JSON, then makes the models.
    return sum(len(FlowRun.model_validate_list(json.loads(text))) for _ in range(count))

async def main():
    if mode == "decode":
        return await measure(decode)
    async with get_client() as client:
        await client.hello()
        async def pages():
            rows, offset = 0, 0
            while True:
                page = await client.read_flow_runs(sort=FlowRunSort.ID_DESC, limit=200, offset=offset)
                rows, offset = rows + len(page), offset + len(page)
                if len(page) < 200:
                    return rows
        async def read():
            flow, gate = sys.argv[4], asyncio.Semaphore(64 if mode == "concurrent" else 1)
            async def one():
                async with gate:
                    await client.read_flow(flow)
            if mode == "concurrent":
                await asyncio.gather(*(one() for _ in range(count)))
            else:
                for _ in range(count):
                    await one()
            return count
        await measure(pages if mode == "pages" else read)

asyncio.run(main())
"""


def flow_run(number):
    """A flow run as a server returns it."""
    new = lambda: str(uuid.UUID(int=number * 16 + 7, version=4))
    time = "2026-01-02T03:04:05.678901Z"
    return {
        "id": new(), "created": time, "updated": time, "name": f"run-{number}", "flow_id": new(), "state_id": new(),
        "deployment_id": new(), "deployment_version": "1.0", "work_queue_id": new(), "work_queue_name": "default",
        "flow_version": "abc", "parameters": {"day": "2026-01-01", "limit": number, "names": ["a", "b"]},
        "idempotency_key": None, "context": {}, "empirical_policy": {
            "max_retries": 0, "retry_delay_seconds": 0.0, "retries": 3, "retry_delay": 10, "pause_keys": [],
            "resuming": False, "retry_type": None},
        "tags": ["etl", "nightly"], "labels": {"prefect.flow.id": new(), "team": "data"}, "parent_task_run_id": None,
        "state_type": "COMPLETED", "state_name": "Completed", "run_count": 1, "expected_start_time": time,
        "next_scheduled_start_time": None, "start_time": time, "end_time": time, "total_run_time": 12.5,
        "estimated_run_time": 12.5, "estimated_start_time_delta": 0.4, "auto_scheduled": True,
        "infrastructure_document_id": None, "infrastructure_pid": "host:1", "created_by": None,
        "work_pool_id": new(), "work_pool_name": "pool", "job_variables": {"env": {"A": "1"}},
        "state": {
            "id": new(), "type": "COMPLETED", "name": "Completed", "timestamp": time, "message": "All states completed.",
            "data": None, "state_details": {"flow_run_id": new(), "task_run_id": None, "scheduled_time": None,
                                            "transition_id": new(), "deferred": False, "untrackable_result": False}},
    }  # fmt: skip


class Runs(http.server.BaseHTTPRequestHandler):
    """Answers `POST /flow_runs/filter` with pages of many runs."""

    protocol_version = "HTTP/1.1"
    count = 0

    def do_GET(self):
        self.reply('"hello"' if self.path.endswith("/hello") else '{"detail": "Not Found"}', 200)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        last = min(self.count, body["offset"] + body["limit"])
        self.reply(json.dumps([flow_run(number) for number in range(body["offset"], last)]), 200)

    def reply(self, text, status):
        data = text.encode()
        if self.path.find("csrf-token") >= 0:
            data, status = b'{"detail": "CSRF protection is disabled."}', 422
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def run(command, url):
    environment = dict(os.environ, PREFECT_API_URL=url, PREFECT_LOGGING_LEVEL="ERROR")
    answer = subprocess.run(command, env=environment, capture_output=True, text=True)
    if answer.returncode:
        sys.exit(f"{command[0]}: {answer.stdout[-500:]}{answer.stderr[-1500:]}")
    return json.loads(answer.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", default=f"{DIRECTORY}/client-benchmark/.build/release/client-benchmark")
    parser.add_argument("--python", default="python3", help="the Python that has prefect")
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=10_000, help="the number of flow runs to follow")
    parser.add_argument("--quick", action="store_true", help="only shows that it works")
    options = parser.parse_args()
    if options.quick:
        options.calls, options.runs = 20, 400
    url = os.environ.get("PREFECT_API_URL") or sys.exit("set PREFECT_API_URL to the address of a server")
    clients = {"Python": [options.python, "-c", PYTHON], "ours": [find_program(options.program)]}
    api = API(url)
    flow = api.call("POST", "/flows/", {"name": f"client-benchmark-{uuid.uuid4()}"})["id"]
    Runs.count = options.runs
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Runs)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    follower_url = f"http://127.0.0.1:{server.server_address[1]}/api"
    rounds = 2 if options.quick else 50
    rows = [["", "Python's client", "PrefectClient", "ratio"]]

    def add(name, key, unit, scale, python, ours):
        rows.append([name, f"{python * scale:.3g} {unit}", f"{ours * scale:.3g} {unit}", f"1/{python / ours:.1f}"])

    try:
        with tempfile.NamedTemporaryFile("w", suffix=".json") as page:
            json.dump([flow_run(number) for number in range(PAGE)], page)
            page.flush()
            for mode, name in (("one-by-one", "one after the other"), ("concurrent", "64 at a time")):
                found = [run(c + [url, mode, str(options.calls), flow], url) for c in clients.values()]
                python, ours = ({k: v / f["done"] for k, v in f.items()} for f in found)
                add(f"time for each readFlow, {name}", "seconds", "ms", 1000, python["seconds"], ours["seconds"])
                add("CPU time for each of these calls", "cpu", "ms", 1000, python["cpu"], ours["cpu"])
            python, ours = (run(c + [page.name, "decode", str(rounds)], url) for c in clients.values())
            add(f"CPU time for decoding {PAGE} flow runs", "cpu", "ms", 1000 / rounds, python["cpu"], ours["cpu"])
        python, ours = (run(c + [follower_url, "pages", "0"], follower_url) for c in clients.values())
        assert python["done"] == ours["done"] == options.runs, (python, ours)
        for name, key in (("memory before", "before"), ("most memory while", "peak")):
            add(f"{name} following {options.runs} runs", key, "MB", 1 / 1024, python[key], ours[key])
        add("CPU time for following them", "cpu", "s", 1, python["cpu"], ours["cpu"])
    finally:
        api.call("DELETE", f"/flows/{flow}")
        server.shutdown()
    print_table(rows)


if __name__ == "__main__":
    main()
