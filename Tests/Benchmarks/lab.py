"""Shared by the benchmarks: the setup of objects at the API, a worker's process, and a table."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid


class API:
    """The server, for the setup. A request that a busy server refuses with 503 is repeated."""

    def __init__(self, url):
        self.url = url.rstrip("/")
        self.pools, self.flows = [], []
        self.turned_away = 0  # The number of requests that the server refused because it was busy.

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(60):
            request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    text = answer.read()
                    return json.loads(text) if text else None
            except urllib.error.HTTPError as error:
                if error.code not in (429, 502, 503):
                    raise SystemExit(f"{method} {path}: {error.code} {error.read()[:300]}") from None
                self.turned_away += 1
            except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
                if attempt > 5:
                    raise SystemExit(f"{method} {path}: {error}") from None
            time.sleep(min(0.1 * (attempt + 1), 1))
        raise SystemExit(f"{method} {path}: the server stays busy")

    def make_pool(self):
        name = f"benchmark-{uuid.uuid4().hex[:8]}"
        template = {
            "job_configuration": {
                name: "{{ %s }}" % name
                for name in ("command", "env", "labels", "name", "stream_output", "working_dir")
            },
            "variables": {
                "type": "object",
                "properties": {
                    "command": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                    "env": {"type": "object"},
                    "labels": {"type": "object"},
                    "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                    "stream_output": {"type": "boolean", "default": True},
                    "working_dir": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
                },
            },
        }
        self.call("POST", "/work_pools/", {"name": name, "type": "process", "base_job_template": template})
        return self._made(name)

    def make_docker_pool(self):
        """Creates a Docker pool with the server's own template."""
        name = f"benchmark-{uuid.uuid4().hex[:8]}"
        self.call("POST", "/work_pools/", {"name": name, "type": "docker"})
        return self._made(name)

    def make_ecs_pool(self):
        """Creates an ECS pool with the server's own template."""
        name = f"benchmark-{uuid.uuid4().hex[:8]}"
        self.call("POST", "/work_pools/", {"name": name, "type": "ecs"})
        return self._made(name)

    def _made(self, name):
        self.pools.append(name)
        self.flows.append(self.call("POST", "/flows/", {"name": name})["id"])
        return name

    def make_deployment(self, pool, command, more={}):
        body = {
            "name": uuid.uuid4().hex[:8],
            "flow_id": self.flows[-1],
            "work_pool_name": pool,
            "job_variables": {"command": command, **more},
            "enforce_parameter_schema": False,
        }
        return self.call("POST", "/deployments/", body)["id"]

    def make_run(self, deployment):
        body = {"state": {"type": "SCHEDULED"}}
        return self.call("POST", f"/deployments/{deployment}/create_flow_run", body)["id"]

    def remove_last_pool(self):
        self.call("DELETE", f"/flows/{self.flows.pop()}")
        self.call("DELETE", f"/work_pools/{self.pools.pop()}")


class Worker:
    """A worker with a directory of its own as its home and working directory, and with few environment variables."""

    def __init__(self, command, pool, url, directory, name, more=(), output=None, environment={}, kind="process"):
        variables = {
            "PATH": os.environ["PATH"],
            "HOME": directory,
            "PREFECT_HOME": directory + "/prefect",
            "PREFECT_API_URL": url,
            "PREFECT_WORKER_QUERY_SECONDS": "2",
            "DO_NOT_TRACK": "1",
            "LANG": "C.UTF-8",
            **environment,
        }
        self.log = open(directory + "/worker.log", "ab")
        arguments = [*command, "start", "--pool", pool, "--type", kind, "--name", name, *more]
        self.began = time.time()
        self.process = subprocess.Popen(
            arguments,
            env=variables,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output or self.log,
            stderr=self.log,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(10)
        self.log.close()

    def stop(self, limit):
        """Ends the worker with SIGTERM, or with SIGKILL after `limit` seconds, and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.process.returncode

    def wait(self, what, limit, condition, interval=0.005):
        deadline = time.time() + limit
        while not (found := condition()):
            if self.process.poll() is not None:
                raise SystemExit(f"the worker ended before {what}; see {self.log.name}")
            if time.time() > deadline:
                raise SystemExit(f"after {limit} s there is no {what}; see {self.log.name}")
            time.sleep(interval)
        return found

    def memory(self, field="Pss"):
        """Memory in KB: `Pss` divides shared pages among their processes, `Anonymous` is the part that no file backs."""
        with open(f"/proc/{self.process.pid}/smaps_rollup") as rollup:
            return int(re.search(rf"^{field}:\s+(\d+)", rollup.read(), re.MULTILINE)[1])

    def processor_time(self, with_children=False):
        """The processor time in seconds of the worker's process, or also of all its processes that have ended."""
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return sum(map(int, fields[11 : 15 if with_children else 13])) / os.sysconf("SC_CLK_TCK")

    def children(self):
        """The ids of the worker's child processes, including those that have ended and were not waited for."""
        found = []
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{task}/children") as file:
                    found += map(int, file.read().split())
            except OSError:
                pass  # The thread has ended.
        return found


def print_table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for index, row in enumerate(rows):
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))]
        print("| " + " | ".join(cells) + " |")
        if index == 0:
            print("|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|")


def find_program(path):
    """The absolute path of the worker's binary."""
    path = os.path.realpath(path)
    if not os.access(path, os.X_OK):
        sys.exit(f"there is no program '{path}': build it or say where it is with --worker")
    return path


def describe_program(path):
    """The version that a program prints; a debug build is marked as such."""
    text = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.strip().split("\n")[0]
    return text + (", a DEBUG build: slower and larger than a release build" if "/debug/" in path else "")
