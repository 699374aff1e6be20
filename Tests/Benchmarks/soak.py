#!/usr/bin/env python3
"""Executes thousands of short runs with `prefect-worker start`, and checks that its resources do not grow.

    Tests/Benchmarks/soak.py [--worker PATH] [--runs N] [--minutes N] [--limit N] [--fake]

Runs are created at an even rate, at the server that PREFECT_API_URL names. Without it, or with --fake, the server is an
API within this program. The full soak needs that API. On two cores with SQLite, Prefect's server constantly refuses
requests with 503 at 2.5 runs a second. At 5 runs a second it falls behind, and the soak would measure the server. For
such a server choose fewer runs, such as --runs 1800, which is one a second. The soak needs Python's standard library.

Each run is a shell that prints a line on both streams and appends its id to a file. Every 25th run prints 200 KB. Every
50th run ends with status 3, which the worker must report as a crash. Every ten seconds the soak reads the state of the
worker in /proc.

The exit status is 1 when

- a run was executed twice or not at all, or its crash was not reported, or a byte of output was not copied;
- a row of the ledger, a run's directory, a temporary file or a child process remains when all runs have ended;
- descriptors or threads grow. After each half of the runs, the soak waits until the runs in flight have ended. At the
  end the worker must not have more than --spare more of them than after the first half.
- anonymous memory grows by more than --growth over the second half, by least squares. The first half includes objects
  that are created once: stacks and arenas of threads, caches, the connection pool. In the second half of the full soak
  2 MB are less than 1 KB a run. A leaked flow run as the API sends it, a leaked row or a leaked task needs several
  times that. The memory that the allocator keeps after a moment with many runs is much less than 2 MB.
"""

import argparse
import concurrent.futures
import os
import shutil
import sqlite3
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True

from fake_api import FakeAPI
from lab import API, Worker, describe_program, find_program, print_table

SAMPLING = 10  # seconds
PER_ROW = 60 // SAMPLING  # One sample a minute is printed.
FLOOD = 200 * 1024  # bytes
CRASH_EVERY, FLOOD_EVERY = 50, 25
# Each line is one write, so that the lines of two runs do not mix.
NOTE = 'echo "$PREFECT__FLOW_RUN_ID" >>"$HOME/executed"'
COMMANDS = {
    "plain": f"sh -c 'echo out; echo err >&2; {NOTE}'",
    "flood": f"sh -c 'yes out | head -c {FLOOD}; echo err >&2; {NOTE}'",
    "crash": f"sh -c 'echo out; echo err >&2; {NOTE}; exit 3'",
}


def kind_of(index):
    if index % CRASH_EVERY == CRASH_EVERY - 1:
        return "crash"
    return "flood" if index % FLOOD_EVERY == FLOOD_EVERY // 2 else "plain"


class Counter:
    """Reads the worker's standard output and counts its bytes."""

    def __init__(self):
        out, self.end = os.pipe()
        self.bytes = 0
        self.thread = threading.Thread(target=self._read, args=(out,), daemon=True)
        self.thread.start()

    def close(self):
        os.close(self.end)
        self.end = None

    def _read(self, out):
        while data := os.read(out, 1 << 16):
            self.bytes += len(data)


class Sample:
    """The state of the worker's process at one time."""

    def __init__(self, worker, directory, began, runs):
        process = f"/proc/{worker.process.pid}"
        self.time = time.time() - began
        self.runs = runs
        self.memory, self.anonymous = worker.memory(), worker.memory("Anonymous")
        self.descriptors = len(os.listdir(process + "/fd"))
        self.threads = len(os.listdir(process + "/task"))
        self.cpu = worker.processor_time()
        self.state = size_on_disk(directory)

    HEAD = ["minute", "runs", "PSS KB", "anonymous KB", "descriptors", "threads", "CPU s", "state KB"]

    @property
    def row(self):
        numbers = (self.runs, self.memory, self.anonymous, self.descriptors, self.threads)
        return [f"{self.time / 60:.1f}", *map(str, numbers), f"{self.cpu:.1f}", f"{self.state / 1024:.0f}"]


def size_on_disk(directory):
    total = 0
    for parent, _, files in os.walk(directory):
        for name in files:
            try:
                total += os.lstat(f"{parent}/{name}").st_blocks * 512
            except OSError:
                pass  # The run has ended in the meantime.
    return total


def slope(points):
    """The slope of the least-squares line through points; 0 without a slope."""
    points = list(points)
    if not points:
        return 0
    x_mean, y_mean = (sum(values) / len(points) for values in zip(*points))
    spread = sum((x - x_mean) ** 2 for x, _ in points)
    return sum((x - x_mean) * (y - y_mean) for x, y in points) / spread if spread else 0


class Soak:
    def __init__(self, options, api, fake, directory):
        self.options, self.api, self.fake, self.directory = options, api, fake, directory
        self.state, self.temporary = directory + "/state", directory + "/tmp"
        self.created = {}  # run id -> kind
        self.samples, self.rests = [], []
        self.half = 0  # The index of the first sample of the second half.
        self.problems = []
        os.mkdir(self.temporary)
        open(directory + "/executed", "w").close()

    def run(self):
        pool = self.api.make_pool()
        deployments = {kind: self.api.make_deployment(pool, command) for kind, command in COMMANDS.items()}
        counter = Counter()
        more = ["--state-dir", self.state, "--python", "none"]
        if self.options.limit:
            more += ["--limit", str(self.options.limit)]
        command = [self.options.worker]
        environment = {"TMPDIR": self.temporary}
        with Worker(command, pool, self.api.url, self.directory, "soak", more, counter.end, environment) as worker:
            counter.close()
            worker.wait("start", 60, self.has_started, 0.1)
            self.began = time.time()
            for half in (0, 1):
                self.half = len(self.samples)
                self.soak(worker, deployments, half)
                self.settle(worker)
                self.rests.append(self.look(worker))
            self.look_for_leftovers(worker)
            if status := worker.stop(60):
                self.problems.append(f"the worker left with status {status}")
        counter.thread.join(10)
        self.judge_runs(pool, counter.bytes)
        self.judge_growth()

    def has_started(self):
        with open(self.directory + "/worker.log", errors="replace") as log:
            return "started!" in log.read()

    def executed(self):
        with open(self.directory + "/executed") as file:
            return file.read().split()

    # Load

    def soak(self, worker, deployments, half):
        """Creates one half of the runs, each at its own time, and takes samples."""
        began, length = time.time(), self.options.minutes * 60 / 2
        indices = range(self.options.runs)[half * self.options.runs // 2 :][: (self.options.runs + half) // 2]
        stopped = threading.Event()

        def create(index):
            kind = kind_of(index)
            self.created[self.api.make_run(deployments[kind])] = kind

        def create_all():
            # Several threads create the runs, so that a slow answer does not delay the next runs.
            with concurrent.futures.ThreadPoolExecutor(4) as creators:
                tasks = []
                for place, index in enumerate(indices):
                    if stopped.wait(max(0, began + place * length / len(indices) - time.time())):
                        break
                    tasks.append(creators.submit(create, index))
                for task in tasks:
                    task.result()

        with concurrent.futures.ThreadPoolExecutor(1) as creation:
            creating = creation.submit(create_all)
            try:
                due = began
                while not creating.done() or time.time() < began + length:
                    self.take_sample(worker)
                    due += SAMPLING
                    worker.wait("the next sample", due - time.time() + 60, lambda: time.time() >= due, 0.1)
                creating.result()
            finally:
                stopped.set()

    def look(self, worker):
        return Sample(worker, self.state, self.began, len(self.executed()))

    def take_sample(self, worker):
        sample = self.look(worker)
        self.samples.append(sample)
        if (len(self.samples) - 1) % PER_ROW == 0:
            say("  " + ", ".join(f"{name} {value}" for name, value in zip(Sample.HEAD, sample.row)))

    def settle(self, worker):
        """Waits until all runs have been executed and the worker has completed its work on them."""
        deadline = time.time() + self.options.patience
        while time.time() < deadline:
            if set(self.executed()) >= set(self.created) and not self.rows() and not worker.children():
                break
            time.sleep(0.5)
        # The last log lines and events wait two seconds for their batch. Connections stay open for some more seconds.
        time.sleep(10)

    # Leftovers

    def rows(self):
        with sqlite3.connect(f"file:{self.state}/ledger.sqlite?mode=ro", uri=True, timeout=30) as ledger:
            return [row[0] for row in ledger.execute("SELECT id FROM run")]

    def look_for_leftovers(self, worker):
        own = {"control", "ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "lock", "runs", "worker-name"}
        runs = self.state + "/runs"
        left = {
            "rows in the ledger": self.rows(),
            "directories of runs": os.listdir(runs) if os.path.isdir(runs) else [],
            "files in the state directory": sorted(set(os.listdir(self.state)) - own),
            "temporary files": os.listdir(self.temporary),
            "child processes": worker.children(),
        }
        for what, names in left.items():
            if names:
                self.problems.append(f"{len(names)} {what} left, such as {names[0]}")

    # Verdicts

    def judge_runs(self, pool, bytes_copied):
        executed = self.executed()
        missing = set(self.created) - set(executed)
        expected = {run for run, kind in self.created.items() if kind == "crash"}
        crashed = self.crashed(pool)
        kinds = list(self.created.values())
        bytes_printed = 4 * (len(kinds) - kinds.count("flood")) + FLOOD * kinds.count("flood")
        print(
            f"{len(self.created)} runs in {self.rests[-1].time / 60:.1f} minutes, {len(set(executed))} executed, "
            f"{len(crashed & expected)} of {len(expected)} crashes reported, {len(missing)} missing; "
            f"{bytes_copied} of {bytes_printed} bytes copied from their standard output"
        )
        self.expect(len(self.created) == self.options.runs, f"only {len(self.created)} runs were created")
        self.expect(not missing, f"{len(missing)} runs were not executed, such as {min(missing, default='')}")
        self.expect(len(executed) == len(set(executed)), f"{len(executed) - len(set(executed))} runs came twice")
        self.expect(crashed >= expected, f"{len(expected - crashed)} crashes were not reported")
        self.expect(crashed <= expected, f"{len(crashed - expected)} runs were reported as crashed and were not")
        self.expect(bytes_copied == bytes_printed, f"{bytes_printed - bytes_copied} bytes of output were not copied")
        if self.fake:
            for event in ("prefect.worker.submitted-flow-run", "prefect.worker.executed-flow-run"):
                wrong = [run for run in self.created if self.fake.count(event, run) != 1]
                self.expect(not wrong, f"{event} was not told once of {len(wrong)} runs")
            self.expect(not self.fake.unknown, f"unknown requests: {', '.join(sorted(self.fake.unknown)[:5])}")
            requests = self.fake.requests / max(1, len(self.created))
            print(f"{requests:.1f} requests a run in all, {self.fake.log_lines} log lines")
        if self.api.turned_away:
            print(f"the server turned {self.api.turned_away} of this program's own requests away")

    def crashed(self, pool):
        found = []
        while True:
            body = {
                "flow_runs": {"state": {"type": {"any_": ["CRASHED"]}}},
                "work_pools": {"name": {"any_": [pool]}},
                "sort": "ID_DESC",
                "offset": len(found),
                "limit": 200,
            }
            rows = self.api.call("POST", "/flow_runs/filter", body)
            found += [row["id"] for row in rows]
            if len(rows) < 200:
                return set(found)

    def judge_growth(self):
        print()
        resting = [["at rest", *rest.row[1:]] for rest in self.rests]
        first, second = ([sample.row for sample in part[::PER_ROW]] for part in self.halves)
        print_table([Sample.HEAD, *first, resting[0], *second, resting[1]])

        half = self.halves[1]
        rows = [["second half", "at rest before", "and after", "slope an hour", "slope 1,000 runs"]]
        for title, field in (
            ("PSS KB", "memory"),
            ("anonymous KB", "anonymous"),
            ("descriptors", "descriptors"),
            ("threads", "threads"),
        ):
            slopes = (
                slope((sample.time / 3600, getattr(sample, field)) for sample in half),
                slope((sample.runs / 1000, getattr(sample, field)) for sample in half),
            )
            rests = (str(getattr(rest, field)) for rest in self.rests)
            rows.append([title, *rests, *(f"{each:+.1f}" for each in slopes)])
        print()
        print_table(rows)

        before, after = self.rests
        grown = slope((sample.time, sample.anonymous) for sample in half) * (half[-1].time - half[0].time)
        cpu = (after.cpu - before.cpu) / max(1, after.runs - before.runs)
        print(f"\nanonymous memory {grown:+.0f} KB in the second half; {1000 * cpu:.1f} ms of CPU a run")
        bound = self.options.growth * 1024
        self.expect(grown <= bound, f"memory grew by {grown:.0f} KB in the second half, and {bound:.0f} are allowed")
        for field in ("descriptors", "threads"):
            more = getattr(after, field) - getattr(before, field)
            self.expect(more <= self.options.spare, f"at rest there are {more} {field} more after the second half")

    @property
    def halves(self):
        return self.samples[: self.half], self.samples[self.half :]

    def expect(self, is_so, problem):
        if not is_so:
            self.problems.append(problem)


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="the binary (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5000, help="how many runs (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=30, help="over how long a time (default: %(default)s)")
    parser.add_argument("--limit", type=int, help="the worker's --limit (default: none)")
    parser.add_argument("--fake", action="store_true", help="use the API within, also when PREFECT_API_URL is set")
    parser.add_argument("--growth", type=float, default=2, help="MB allowed in the second half (default: %(default)s)")
    parser.add_argument("--spare", type=int, default=2, help="descriptors and threads allowed (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=120, help="seconds to wait for the last runs (default: 120)")
    options = parser.parse_args()
    options.worker = find_program(options.worker)
    url = os.environ.get("PREFECT_API_URL")
    fake = FakeAPI() if options.fake or not url else None
    api = API(fake.url if fake else url)
    where = "the API within" if fake else f"Prefect's API at {url}"
    print(f"{describe_program(options.worker)}; {os.cpu_count()} CPUs; {where}")
    print(f"{options.runs} runs in {options.minutes:g} minutes, --limit {options.limit or 'none'}", flush=True)
    directory = tempfile.mkdtemp(prefix="soak-")
    soak = Soak(options, api, fake, directory)
    try:
        soak.run()
    finally:
        while api.pools:
            api.remove_last_pool()
    for problem in soak.problems:
        print(f"FAILED: {problem}")
    if soak.problems:
        sys.exit(f"the worker's output is in {directory}/worker.log")
    shutil.rmtree(directory)
    print("nothing is missing, nothing is left, nothing grows")


if __name__ == "__main__":
    main()
