#!/usr/bin/env python3
"""Measures how soon flows begin: Python's worker, prefect-worker without warm engines, and prefect-worker.

    PREFECT_API_URL=http://127.0.0.1:4200/api Tests/Benchmarks/warm.py [--worker PATH] [--runs N] [--burst N] [--limit N]

It needs `prefect` on PATH and Python's standard library. The other settings are the defaults. All serve one server
in turn. The flow does nothing. The command measures, by the server's clock:

- the time from the creation of a run to Running, one run after the other;
- for a burst of runs, the time from the first Pending to the last Running, and the flows that end in a minute;
- the processor time of a run: of the worker and of all its processes, divided by the number of runs. The start of the
  worker is left out, and that of a zygote is not.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from lab import API, Worker, find_program, print_table
from latency import DEFAULTS, deploy_flow, moment, wait


def states(api, run):
    found = {}
    for state in api.call("GET", f"/flow_run_states/?flow_run_id={run}"):
        found.setdefault(state["type"], moment(state["timestamp"]))
    return found


def one_by_one(api, deployment, count):
    figures = []
    for _ in range(count + 1):
        run = api.make_run(deployment)
        wait("end", 120, lambda: api.call("GET", f"/flow_runs/{run}")["state_type"] == "COMPLETED", 0.2)
        found = states(api, run)
        figures.append(found["RUNNING"] - found["SCHEDULED"])
        # The engine of the run ends, and a zygote is made, before the next run.
        time.sleep(3)
    return figures[1:]


def burst(api, deployment, count):
    runs = [api.make_run(deployment) for _ in range(count)]

    def has_ended():
        body = {"flow_runs": {"id": {"any_": runs}, "state": {"type": {"any_": ["COMPLETED"]}}}}
        return api.call("POST", "/flow_runs/count", body) == count

    wait("end of the burst", 600, has_ended, 1)
    found = [states(api, run) for run in runs]
    first = min(each["PENDING"] for each in found)
    running = max(each["RUNNING"] for each in found) - first
    ended = max(each["COMPLETED"] for each in found) - first
    return running, 60 * count / ended


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our program")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--burst", type=int, default=40)
    parser.add_argument("--limit", type=int, default=8)
    options = parser.parse_args()
    api = API(os.environ.get("PREFECT_API_URL") or sys.exit("PREFECT_API_URL is not set"))
    own = find_program(options.worker)
    columns = [
        ("Python worker", ["prefect", "worker"], []),
        ("without warm engines", [own], ["--warm-engines", "off"]),
        ("prefect-worker", [own], []),
    ]
    table = [
        ["", *(name for name, _, _ in columns)],
        ["created to Running, median, s"],
        ["processor time a run, s"],
        [f"{options.burst} at once, limit {options.limit}: first Pending to last Running, s"],
        ["flows a minute"],
    ]
    with tempfile.TemporaryDirectory() as directory:
        for number, (_, command, more) in enumerate(columns):
            home = f"{directory}/{number}"
            os.makedirs(f"{home}/flow")
            pool = api.make_pool()
            more = ["--limit", str(options.limit), *more]
            name = f"warm-{number}"
            with Worker(command, pool, api.url, home, name, more=more, environment=DEFAULTS) as worker:
                wait("worker", 60, lambda: api.call("POST", f"/work_pools/{pool}/workers/filter", {}))
                time.sleep(5)
                deployment = deploy_flow(api, pool, f"{home}/flow")
                began = worker.processor_time(with_children=True)
                figures = one_by_one(api, deployment, options.runs)
                spent = (worker.processor_time(with_children=True) - began) / (options.runs + 1)
                running, rate = burst(api, deployment, options.burst)
            table[1].append(f"{statistics.median(figures):.2f}")
            table[2].append(f"{spent:.2f}")
            table[3].append(f"{running:.1f}")
            table[4].append(f"{rate:.1f}")
            api.remove_last_pool()
    print_table(table)


if __name__ == "__main__":
    main()
