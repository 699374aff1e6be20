#!/usr/bin/env python3
"""Measures the memory of a worker for each flow run in flight: processes, Docker containers, Kubernetes jobs.

    Tests/Benchmarks/memory.py [--worker PATH] [--runs N] [--flat MINUTES] [BACKEND ...]

For each backend, the program starts a worker and measures it at rest. Then it creates the runs, waits until all of them
are in flight and the worker rests again, and measures it again. With --flat it measures it once more after some time.
The program needs only Python's standard library. The API, the Docker Engine and the Kubernetes API server are within
it; processes are real. Units of systemd have no fake, so they are not measured.

The runs have a deployment with 20 tags, parameters of 2 KB and 40 environment variables. The pools have the worker's
own templates. The worker prints the output of all runs, so it reads a log for each container and each pod.

The memory of a run is the growth of the worker's anonymous memory, divided by the number of runs.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

from fake_api import FakeAPI
from fake_infrastructure import FakeCluster, FakeEngine
from lab import API, Worker, describe_program, find_program, print_table

BACKENDS = ("process", "docker", "kubernetes")
REST = 6  # Seconds for which a worker at rest uses less than a twentieth of a core.
TRIM = 20  # The most seconds after which the worker returns free memory.
PATIENCE = 600  # seconds


class Measurement:
    """One worker with the runs of one backend."""

    def __init__(self, backend, options, directory):
        self.backend, self.options, self.directory = backend, options, directory
        self.fake = FakeAPI()
        self.api = API(self.fake.url)
        self.environment, self.infrastructure = {}, None
        if backend == "docker":
            self.infrastructure = FakeEngine(f"{directory}/engine.sock")
            self.environment = {"DOCKER_HOST": f"unix://{directory}/engine.sock"}
        if backend == "kubernetes":
            self.infrastructure = FakeCluster()
            self.environment = {"KUBECONFIG": f"{directory}/kubeconfig"}
            with open(self.environment["KUBECONFIG"], "w") as file:
                json.dump(self.infrastructure.kubeconfig(), file)

    def run(self):
        pool = self.make_pool()
        deployment = self.make_deployment(pool)
        more = ["--state-dir", f"{self.directory}/state", "--python", "none"]
        output = open(f"{self.directory}/output", "wb")
        command = [*self.options.under, self.options.worker]
        with Worker(
            command, pool, self.api.url, self.directory, "memory", more, output, self.environment, self.backend
        ) as worker:
            worker.wait("start", 60, lambda: self.has_started(worker), 0.1)
            rest(worker)
            samples = [sample(worker)]
            try:
                for _ in range(self.options.runs):
                    self.api.make_run(deployment)
                worker.wait("state with all runs in flight", PATIENCE, self.are_all_in_flight, 1)
                rest(worker)
                samples.append(sample(worker))
                if self.options.flat:
                    worker.wait("end of the time", 1e9, after(self.options.flat * 60), 1)
                    samples.append(sample(worker))
                    if not self.are_all_in_flight():
                        sys.exit("some runs ended, which none of them may")
            finally:
                self.end(worker)
        unknown = self.fake.unknown | (self.infrastructure.unknown if self.infrastructure else set())
        if unknown:
            print(f"unknown requests: {', '.join(sorted(unknown)[:5])}", file=sys.stderr)
        return samples

    def make_pool(self):
        text = subprocess.run([self.options.worker, "template", self.backend], check=True, capture_output=True).stdout
        name = f"memory-{self.backend}"
        self.api.call(
            "POST", "/work_pools/", {"name": name, "type": self.backend, "base_job_template": json.loads(text)}
        )
        return name

    def make_deployment(self, pool):
        flow = self.api.call("POST", "/flows/", {"name": "memory", "tags": ["measured"]})["id"]
        variables = {f"APPLICATION_SETTING_{n}": f"value {n} of the application's setting" for n in range(40)}
        return self.api.call(
            "POST",
            "/deployments/",
            {
                "name": "memory",
                "flow_id": flow,
                "work_pool_name": pool,
                "tags": [f"team-{n}:analytics" for n in range(20)],
                "parameters": {f"parameter_{n}": {"values": ["x" * 40, n], "unit": "kg"} for n in range(25)},
                "job_variables": {
                    "env": variables,
                    **({"command": "sleep 86400"} if self.backend == "process" else {}),
                    **({"image": "example.org/flows:1.2.3"} if self.backend != "process" else {}),
                },
                "enforce_parameter_schema": False,
            },
        )["id"]

    def has_started(self, worker):
        with open(worker.log.name, errors="replace") as log:
            return "started!" in log.read()

    def are_all_in_flight(self):
        """Whether all runs have infrastructure, and the worker reads the logs of all of them."""
        with self.fake.lock:
            recorded = sum(run["infrastructure_pid"] is not None for run in self.fake.runs.values())
        counts = [recorded]
        if self.infrastructure:
            counts += [self.infrastructure.count, self.infrastructure.logs]
        return min(counts) >= self.options.runs

    def end(self, worker):
        """Kills the worker, which would wait for its runs, and the processes of the runs."""
        children = worker.children()
        worker.process.kill()
        worker.process.wait()
        for child in children:
            os.kill(child, signal.SIGKILL)


def after(seconds):
    end = time.time() + seconds
    return lambda: time.time() >= end


def rest(worker):
    """Waits until a worker needs almost no processor time."""

    def is_at_rest():
        before = worker.processor_time()
        time.sleep(REST)
        return worker.processor_time() - before < REST / 20

    worker.wait("rest", PATIENCE, is_at_rest)
    time.sleep(TRIM)


def sample(worker):
    """The PSS and the anonymous memory, in KB."""
    return worker.memory(), worker.memory("Anonymous")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="the binary (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=2000, help="runs in flight (default: %(default)s)")
    parser.add_argument("--flat", type=float, default=0, metavar="MINUTES", help="measure again after this time")
    parser.add_argument("--under", default="", help="a program to start the worker with, such as a heap profiler")
    parser.add_argument("--keep", action="store_true", help="keep the worker's directory with its log")
    parser.add_argument("backends", nargs="*", metavar="BACKEND", help=f"default: {' '.join(BACKENDS)}")
    options = parser.parse_args()
    options.worker, options.under = find_program(options.worker), options.under.split()
    if wrong := set(options.backends) - set(BACKENDS):
        sys.exit(f"there is no backend '{min(wrong)}': choose from {', '.join(BACKENDS)}")
    # The connections of all runs are open on both sides.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{describe_program(options.worker)}; {os.cpu_count()} CPUs; {options.runs} runs", flush=True)
    rows = [["", "PSS idle", "anonymous idle", "PSS", "anonymous", "a run"]]
    for backend in options.backends or BACKENDS:
        directory = tempfile.mkdtemp(prefix="memory-")
        first, *others = Measurement(backend, options, directory).run()
        for minutes, (pss, anonymous) in zip((0, options.flat), others):
            title = backend + (f", {minutes:g} minutes later" if minutes else "")
            sizes = [f"{size / 1024:.1f} MB" for size in (*first, pss, anonymous)]
            rows.append([title, *sizes, f"{(anonymous - first[1]) / options.runs:.1f} KB"])
            print("  ".join(rows[-1]), file=sys.stderr, flush=True)
        if options.keep:
            print(f"the worker's directory is {directory}")
        else:
            subprocess.run(["rm", "-rf", directory], check=True)
    print_table(rows)


if __name__ == "__main__":
    main()
