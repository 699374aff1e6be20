#!/usr/bin/env python3
"""Measures the cost of existing jobs for a Kubernetes worker: this worker, and Prefect's own worker with its observer.

    PREFECT_API_URL=… KUBECONFIG=… Tests/Benchmarks/kubernetes_scale.py [--worker PATH] [--finished N] [--active N]

The program creates finished and active jobs in a namespace, with the labels of jobs of flow runs. It creates them at
the API server. No kubelet is involved, because no scheduler takes the pods of the active jobs. Then it starts each
worker in turn, for a pool in that namespace and with one run, so that the worker must watch. It measures:

- ready: the time from exec until the worker logs that it has started;
- settled: the time until the worker has used less than a twentieth of a core for three seconds, after the run's job
  exists;
- the processor time until then, and the resident memory after it.

It measures the same without the finished jobs first, which shows their additional cost. Prefect's observer watches the
namespace. This worker is measured without and with such an observer, because its own runs need none.

    … kubernetes_scale.py --recover N

measures a recovery instead: this worker is killed after it has created the jobs of N runs, and is started again.
The program removes the namespace, the pools and the runs.
"""

import argparse
import base64
import http.client
import json
import os
import queue
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import uuid

sys.dont_write_bytecode = True

from lab import API, Worker, describe_program, find_program, print_table


class Cluster:
    """The API server of the current context, with one connection for each thread."""

    def __init__(self):
        text = subprocess.run(
            ["kubectl", "config", "view", "--raw", "--minify", "-o", "json"], check=True, capture_output=True
        ).stdout
        config = json.loads(text)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.address = urllib.parse.urlsplit(cluster["server"])
        self.context = ssl.create_default_context()
        if cluster.get("insecure-skip-tls-verify"):
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        elif data := cluster.get("certificate-authority-data"):
            self.context.load_verify_locations(cadata=base64.b64decode(data).decode())
        self.headers = {"Content-Type": "application/json"}
        if token := user.get("token"):
            self.headers["Authorization"] = f"Bearer {token}"
        self.local = threading.local()

    def call(self, method, path, body=None, kind="application/json"):
        for attempt in range(5):
            try:
                if not hasattr(self.local, "connection"):
                    self.local.connection = http.client.HTTPSConnection(self.address.netloc, context=self.context)
                headers = {**self.headers, "Content-Type": kind}
                self.local.connection.request(method, path, json.dumps(body) if body else None, headers)
                answer = self.local.connection.getresponse()
                text = answer.read()
                if answer.status in (429, 500, 503):
                    time.sleep(1)
                    continue
                if answer.status >= 300 and answer.status != 409:
                    sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
                return json.loads(text)
            except (http.client.HTTPException, OSError):
                del self.local.connection
        sys.exit(f"{method} {path}: the API server does not answer")

    def all(self, work, items, threads=12):
        """Calls `work` with each item, in this number of threads."""
        waiting = queue.SimpleQueue()
        for item in items:
            waiting.put(item)

        def run():
            while True:
                try:
                    work(waiting.get_nowait())
                except queue.Empty:
                    return

        pool = [threading.Thread(target=run) for _ in range(threads)]
        for thread in pool:
            thread.start()
        for thread in pool:
            thread.join()


def job(number, is_active):
    run = str(uuid.uuid4())
    labels = {
        "prefect.io/flow-run-id": run,
        "prefect.io/flow-run-name": f"run-{number}",
        "prefect.io/flow-name": "scale",
        "prefect.io/deployment-name": "scale",
        "prefect.io/work-pool-name": "scale",
        "app.kubernetes.io/managed-by": "prefect",
    }
    environment = [{"name": f"PREFECT_SETTING_{n}", "value": "x" * 40} for n in range(20)]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"{'active' if is_active else 'finished'}-{number}", "labels": labels},
        "spec": {
            "parallelism": 1 if is_active else 0,
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "schedulerName": "nobody",
                    "restartPolicy": "Never",
                    "containers": [{"name": "prefect-job", "image": "none", "env": environment}],
                },
            },
        },
    }


DONE = {
    "status": {
        "succeeded": 1,
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T00:01:00Z",
        "conditions": [{"type": "Complete", "status": "True"}],
    }
}


def fill(cluster, namespace, finished, active):
    path = f"/apis/batch/v1/namespaces/{namespace}/jobs"

    def make(item):
        number, is_active = item
        cluster.call("POST", path, job(number, is_active))
        if not is_active:
            name = f"{path}/finished-{number}/status"
            cluster.call("PATCH", name, DONE, kind="application/merge-patch+json")

    cluster.all(make, [(n, False) for n in range(finished)] + [(n, True) for n in range(active)])
    deadline = time.time() + 300
    while active and time.time() < deadline:
        listed = cluster.call("GET", f"/api/v1/namespaces/{namespace}/pods?limit=1")
        count = len(listed["items"]) + (listed["metadata"].get("remainingItemCount") or 0)
        if count >= active:
            return
        time.sleep(1)


def make_pool(api, namespace, program):
    """Creates a pool whose jobs no scheduler takes, and returns its name."""
    text = subprocess.run([program, "template", "kubernetes"], check=True, capture_output=True).stdout
    template = json.loads(text)
    template["variables"]["properties"]["namespace"]["default"] = namespace
    template["job_configuration"]["job_manifest"]["spec"]["template"]["spec"]["schedulerName"] = "nobody"
    name = f"benchmark-{uuid.uuid4().hex[:8]}"
    api.call("POST", "/work_pools/", {"name": name, "type": "kubernetes", "base_job_template": template})
    api.pools.append(name)
    api.flows.append(api.call("POST", "/flows/", {"name": name})["id"])
    return name


def says(worker, text):
    worker.log.flush()
    with open(worker.log.name, "rb") as log:
        return text in log.read()


def settle(worker):
    """Waits until a worker needs almost no processor time.

    Returns the seconds from exec until then, and the worker's largest memory in MB.
    """
    quiet_since, last, peak = time.time(), worker.processor_time(), 0
    while time.time() - quiet_since <= 3 and time.time() - worker.began < 600:
        time.sleep(0.5)
        now = worker.processor_time()
        peak = max(peak, worker.memory())
        if now - last > 0.025:
            quiet_since = time.time()
        last = now
    return quiet_since - worker.began, peak / 1024


def recover(command, api, cluster, namespace, program, count):
    """Starts a worker for the runs of a killed worker, and prints the cost."""
    pool = make_pool(api, namespace, program)
    deployment = api.make_deployment(pool, "true")
    for _ in range(count):
        api.make_run(deployment)
    directory = tempfile.mkdtemp(prefix="scale-")
    environment = {"KUBECONFIG": os.environ["KUBECONFIG"]}
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs?limit=1"

    def made():
        listed = cluster.call("GET", jobs)
        return len(listed["items"]) + (listed["metadata"].get("remainingItemCount") or 0)

    try:
        with Worker(command, pool, api.url, directory, "scale", environment=environment, kind="kubernetes") as worker:
            worker.wait("all jobs", 1800, lambda: made() >= count, 2)
            settle(worker)
            worker.process.kill()
            worker.process.wait()
        os.remove(f"{directory}/worker.log")
        with Worker(command, pool, api.url, directory, "scale", environment=environment, kind="kubernetes") as worker:
            worker.wait("start", 120, lambda: says(worker, b"started!"))
            ready = time.time() - worker.began
            settled, peak = settle(worker)
            print_table(
                [
                    ("runs", "ready s", "settled s", "CPU s", "PSS MB", "peak MB"),
                    (
                        str(count),
                        *(
                            f"{value:.2f}"
                            for value in (
                                ready, settled, worker.processor_time(), worker.memory() / 1024, peak,
                            )
                        ),
                    ),
                ]
            )
            if made() != count:
                sys.exit(f"there are {made()} jobs for {count} runs")
    finally:
        api.remove_last_pool()
        shutil.rmtree(directory, ignore_errors=True)


def measure(command, api, namespace, program, observes):
    """Starts a worker, waits until it has settled, and returns the measured values."""
    pool = make_pool(api, namespace, program)
    deployment = api.make_deployment(pool, "true")
    run = api.make_run(deployment)
    directory = tempfile.mkdtemp(prefix="scale-")
    environment = {"KUBECONFIG": os.environ["KUBECONFIG"]}
    if observes:
        environment["PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_NAMESPACES"] = namespace
    try:
        with Worker(command, pool, api.url, directory, "scale", environment=environment, kind="kubernetes") as worker:
            worker.wait("start", 120, lambda: says(worker, b"started!"))
            ready = time.time() - worker.began
            worker.wait("job", 300, lambda: api.call("GET", f"/flow_runs/{run}")["infrastructure_pid"], 0.1)
            submitted = time.time() - worker.began
            settled, peak = settle(worker)
            row = (ready, submitted, settled, worker.processor_time(), worker.memory() / 1024, peak)
        return row
    finally:
        api.remove_last_pool()
        shutil.rmtree(directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", default=".build/release/prefect-worker", help="the program to measure")
    parser.add_argument("--finished", type=int, default=5000)
    parser.add_argument("--active", type=int, default=1000)
    parser.add_argument("--alone", action="store_true", help="leave Prefect's own worker out")
    parser.add_argument("--recover", type=int, metavar="N", help="measure the recovery of so many runs instead")
    options = parser.parse_args()
    for variable in ("PREFECT_API_URL", "KUBECONFIG"):
        if not os.environ.get(variable):
            sys.exit(f"set {variable}")
    program = find_program(options.worker)
    print(describe_program(program))
    api, cluster = API(os.environ["PREFECT_API_URL"]), Cluster()
    commands = {"prefect-worker": ([program], False), "prefect-worker, observing": ([program], True)}
    if not options.alone:
        commands["prefect worker"] = (["prefect", "worker"], True)
    rows = [("", "jobs there", "ready s", "job made s", "settled s", "CPU s", "PSS MB", "peak MB")]
    namespace = f"scale-{uuid.uuid4().hex[:8]}"
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    try:
        if options.recover:
            return recover([program], api, cluster, namespace, program, options.recover)
        for finished, active in ((0, 0), (0, options.active), (options.finished, 0)):
            began = time.time()
            fill(cluster, namespace, finished, active)
            if finished or active:
                print(f"{finished} finished and {active} active jobs made in {time.time() - began:.0f} s")
            there = f"{finished} + {options.active}" if finished else f"0 + {active}"
            for name, (command, observes) in commands.items():
                row = measure(command, api, namespace, program, observes)
                rows.append((name, there, *(f"{value:.2f}" if value < 100 else f"{value:.0f}" for value in row)))
                print("  ".join(rows[-1]), flush=True)
    finally:
        cluster.call("DELETE", f"/api/v1/namespaces/{namespace}")
        while api.pools:
            api.remove_last_pool()
    print_table(rows)


main()
