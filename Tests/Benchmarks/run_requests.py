#!/usr/bin/env python3
"""Counts the API requests of a run by route, at a server that refuses some requests. Repeated requests count too.

    Tests/Benchmarks/run_requests.py [--worker PATH] [--runs N] [--limit N] [--every N] [--most N] [--fake]

PREFECT_API_URL names the server, which answers 503 when its database is busy. Without it, or with --fake, the server is
an API within this program that answers 503 to every Nth request. The runs have a command of their own, which ends at
once. Polls, heartbeats, logs and events are printed separately, because their number does not depend on the runs. With
--most the exit status is 1 when a run costs more requests than that.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from compare import POLL, Proxy
from fake_api import FakeAPI
from lab import API, Worker, describe_program, find_program, print_table

APART = (POLL, "/heartbeat", "/logs/", "/events", "/events/in", "/events/out", "/workers/connect", "/csrf-token")


def measure(api, url, routes, turned_away, options):
    """The requests by route when all runs have ended, and the number of refused requests."""
    directory = tempfile.mkdtemp(prefix="requests-")
    pool = api.make_pool()
    deployment = api.make_deployment(pool, "true")
    runs = [api.make_run(deployment) for _ in range(options.runs)]
    try:
        with Worker([options.worker], pool, url, directory, "requests", ["--limit", str(options.limit), "--python", "none"]) as worker:
            done = lambda: labelled(api, runs) and time.time() - last_change(routes) > 6
            worker.wait("end of all runs", 600, done, interval=1)
            counts = routes()
    finally:
        shutil.rmtree(directory)
    return counts, turned_away()


def labelled(api, runs):
    """Whether the server has the last report of every run."""
    for run in runs:
        found = api.call("GET", f"/flow_runs/{run}")
        if not found["infrastructure_pid"] or "prefect.worker.name" not in found["labels"]:
            return False
    return True


seen = {"work": None, "at": 0}


def last_change(routes):
    work = sum(count for route, count in routes().items() if not route.endswith(APART))
    if work != seen["work"]:
        seen.update(work=work, at=time.time())
    return seen["at"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="our binary (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=100, help="flow runs (default: 100)")
    parser.add_argument("--limit", type=int, default=10, help="of these in flight at a time (default: 10)")
    parser.add_argument("--every", type=int, default=7, help="of so many requests one is turned away (default: 7)")
    parser.add_argument("--fake", action="store_true", help="use the API within this program")
    parser.add_argument("--most", type=float, help="the most requests that a run may cost")
    options = parser.parse_args()
    options.worker = find_program(options.worker)
    print(f"{describe_program(options.worker)}, {options.runs} runs, {options.limit} at a time")
    real = None if options.fake else os.environ.get("PREFECT_API_URL")
    if real:
        proxy, api = Proxy(real), API(real)

        def routes():
            with proxy.lock:
                found = {}
                for _, method, route, _ in proxy.requests:
                    found[f"{method} {route}"] = found.get(f"{method} {route}", 0) + 1
                return found

        turned_away = lambda: sum(status in (429, 503) for *_, status in proxy.requests)
        url = proxy.url
    else:
        fake = FakeAPI(options.every)
        api, url = API(fake.url), fake.url
        routes, turned_away = lambda: dict(fake.routes), lambda: fake.turned_away
    try:
        counts, away = measure(api, url, routes, turned_away, options)
    finally:
        while api.pools:
            api.remove_last_pool()
    work = {route: count for route, count in counts.items() if not route.endswith(APART)}
    each = sum(work.values()) / options.runs
    rows = [[route, str(count), f"{count / options.runs:.2f}"] for route, count in sorted(work.items())]
    others = sum(counts.values()) - sum(work.values())
    rows += [["all of these", str(sum(work.values())), f"{each:.2f}"], ["polls, heartbeats, logs, events", str(others), ""]]
    print_table([["route", "requests", "a run"], *rows])
    print(f"{away} requests were turned away")
    if options.most and each > options.most:
        sys.exit(f"a run costs {each:.2f} requests, more than {options.most}")


if __name__ == "__main__":
    main()
