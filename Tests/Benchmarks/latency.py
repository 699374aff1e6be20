#!/usr/bin/env python3
"""Measures the delays of `prefect worker start` and `prefect-worker start`, on one server, in one run.

    PREFECT_API_URL=http://127.0.0.1:4200/api Tests/Benchmarks/latency.py [--worker PATH] [--runs N] [--flows N] [--idle MINUTES]

It needs `prefect` on PATH and Python's standard library. Both workers poll every ten seconds, which is their default.
It measures:

- the time from the creation of an ad-hoc run to its Pending state, by the server's clock, one run after the other;
- with --flows, the time from Pending to Running of a trivial flow, by the server's clock, one run after the other;
- for prefect-worker, the time from the request that cancels a running run until its process has ended. The process
  ends at once on SIGTERM. The Python worker does not end runs that have a command of their own.
- with --idle, the polls of an idle worker, with both workers at the same time.
"""

import argparse
import datetime
import os
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from compare import POLL, Proxy
from lab import API, Worker, find_program, print_table

DEFAULTS = {"PREFECT_WORKER_QUERY_SECONDS": "10"}


def wait(what, limit, condition, interval=0.02):
    deadline = time.time() + limit
    while not (found := condition()):
        if time.time() > deadline:
            raise SystemExit(f"after {limit} s there is no {what}")
        time.sleep(interval)
    return found


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def pick_up(api, deployment, count):
    """The seconds from creation to Pending of runs that are created one after the other."""
    figures = []
    for _ in range(count):
        run = api.make_run(deployment)

        def states():
            return {state["type"]: state for state in api.call("GET", f"/flow_run_states/?flow_run_id={run}")}

        found = wait("Pending state", 60, lambda: (all := states()).get("PENDING") and all, 0.1)
        figures.append(moment(found["PENDING"]["timestamp"]) - moment(found["SCHEDULED"]["timestamp"]))
    return figures


FLOW = "from prefect import flow\n\n\n@flow\ndef nothing():\n    pass\n"


def deploy_flow(api, pool, directory):
    """Writes a flow that does nothing into a directory, and deploys it."""
    with open(f"{directory}/nothing.py", "w") as file:
        file.write(FLOW)
    flow = api.call("POST", "/flows/", {"name": "nothing"})["id"]
    body = {"name": pool, "flow_id": flow, "work_pool_name": pool, "entrypoint": "nothing.py:nothing", "path": directory}
    return api.call("POST", "/deployments/", body)["id"]


def start_flows(api, pool, directory, count):
    """The seconds from Pending to Running of a flow that does nothing.

    The first run fills the disk cache and is not counted.
    """
    deployment = deploy_flow(api, pool, directory)
    figures = []
    for _ in range(count + 1):
        run = api.make_run(deployment)
        wait("end", 120, lambda: api.call("GET", f"/flow_runs/{run}")["state_type"] == "COMPLETED", 0.2)
        states = {state["type"]: state for state in api.call("GET", f"/flow_run_states/?flow_run_id={run}")}
        figures.append(moment(states["RUNNING"]["timestamp"]) - moment(states["PENDING"]["timestamp"]))
    return figures[1:]


def cancel(api, pool, directory, count):
    """The seconds from the request that cancels a run until its process has ended."""
    figures = []
    for number in range(count):
        note = f"{directory}/pid-{number}"
        command = f"sh -c 'echo $$ >{note}; exec sleep 600'"
        run = api.make_run(api.make_deployment(pool, command))
        process = int(wait("process", 60, lambda: os.path.exists(note) and open(note).read().strip()))
        wait("process id at the API", 60, lambda: api.call("GET", f"/flow_runs/{run}")["infrastructure_pid"], 0.1)
        set_state(api, run, "RUNNING", "Running")
        began = time.time()
        set_state(api, run, "CANCELLING", "Cancelling")
        wait("end of the process", 60, lambda: not os.path.exists(f"/proc/{process}"), 0.002)
        figures.append(time.time() - began)
        wait("Cancelled state", 60, lambda: api.call("GET", f"/flow_runs/{run}")["state_type"] == "CANCELLED", 0.1)
    return figures


def set_state(api, run, kind, name):
    api.call("POST", f"/flow_runs/{run}/set_state", {"state": {"type": kind, "name": name}, "force": True})


def row(name, figures):
    middle, worst = statistics.median(figures), max(figures)
    return [name, f"{min(figures):.3f}", f"{middle:.3f}", f"{worst:.3f}"]


def count_idle_polls(api, commands, directory, minutes):
    """Prints the polls and requests of each idle worker, from the second minute on."""
    proxies = [Proxy(api.url) for _ in commands]
    workers = []
    try:
        for (name, command), proxy in zip(commands, proxies):
            os.mkdir(f"{directory}/idle-{len(workers)}")
            workers.append(
                Worker(command, api.make_pool(), proxy.url, f"{directory}/idle-{len(workers)}", name, environment=DEFAULTS)
            )
        time.sleep(60)
        began = time.time()
        time.sleep(minutes * 60)
        counts = []
        for proxy in proxies:
            with proxy.lock:
                # Requests without a status were sent on a connection that the server had just closed.
                counts.append([request for request in proxy.requests if request[0] >= began and request[3]])
        print_table(
            [["", *(name for name, _ in commands)]]
            + [[f"polls in {minutes} min", *(str(sum(r[2].endswith(POLL) for r in count)) for count in counts)]]
            + [["all requests", *(str(len(count)) for count in counts)]]
        )
    finally:
        for worker in workers:
            worker.stop(10)
        for _ in commands:
            api.remove_last_pool()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our program")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--flows", type=int, default=0, metavar="N", help="start so many flows with each worker")
    parser.add_argument("--idle", type=float, default=0, metavar="MINUTES")
    options = parser.parse_args()
    api = API(os.environ.get("PREFECT_API_URL") or sys.exit("PREFECT_API_URL is not set"))
    commands = [("ours", [find_program(options.worker)]), ("Python's", ["prefect", "worker"])]
    rows = [["seconds", "least", "median", "most"]]
    with tempfile.TemporaryDirectory() as directory:
        for number, (name, command) in enumerate(commands if options.runs or options.flows else []):
            home = f"{directory}/{number}"
            os.mkdir(home)
            os.mkdir(f"{directory}/flow-{number}")
            pool = api.make_pool()
            with Worker(command, pool, api.url, home, f"latency-{number}", environment=DEFAULTS) as worker:
                wait("worker", 60, lambda: api.call("POST", f"/work_pools/{pool}/workers/filter", {}))
                time.sleep(5)
                if options.runs:
                    figures = pick_up(api, api.make_deployment(pool, "true"), options.runs)
                    rows.append(row(f"creation to Pending, {name}", figures))
                if options.flows:
                    rows.append(row(f"Pending to Running, {name}", start_flows(api, pool, f"{directory}/flow-{number}", options.flows)))
                if options.runs and number == 0:
                    rows.append(row(f"cancellation, {name}", cancel(api, pool, directory, options.runs)))
            api.remove_last_pool()
        if len(rows) > 1:
            print_table(rows)
        if options.idle:
            count_idle_polls(api, commands, directory, options.idle)


if __name__ == "__main__":
    main()
