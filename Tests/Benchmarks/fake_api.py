"""A Prefect API that holds the runs of one worker in memory. It has only the routes that the soak and its worker need.

It answers within a millisecond, so a soak with it loads the worker, and not a server's database. It answers 501 to
unknown requests and notes them in `unknown`, so that a missing route cannot pass unnoticed.
"""

import collections
import datetime
import json
import re
import sys
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class FakeAPI:
    """Serves on a free port as soon as it is created.

    Answers 503 to one of `turned_away_every` requests of workers.
    """

    def __init__(self, turned_away_every=None):
        self.turned_away_every = turned_away_every
        self.routes = collections.Counter()  # "METHOD /path/{}" -> number of requests of workers, refused or not.
        self.turned_away = 0
        self.lock = threading.Lock()
        self.pools, self.flows, self.deployments, self.runs, self.workers = {}, {}, {}, {}, {}
        self.inputs, self.states = {}, {}  # By the ids of runs.
        self.waiting = {}  # The ids of the scheduled runs, in their order.
        self.events = {}  # Event name -> flow run id, or None -> number of such events.
        self.log_lines = 0
        self.requests = 0
        self.unknown = set()
        self.server = Server(("127.0.0.1", 0), Connection)
        self.server.api = self
        self.url = f"http://127.0.0.1:{self.server.server_port}/api"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method, path, body, is_of_worker, query=""):
        """The status and the body of an answer."""
        with self.lock:
            self.requests += 1
            if is_of_worker:
                self.routes[f"{method} {re.sub(ID, '{}', path)}"] += 1
                if self.turned_away_every and sum(self.routes.values()) % self.turned_away_every == 0:
                    self.turned_away += 1
                    return 503, json.dumps({"exception_message": "Service Unavailable"}).encode()
            self.query = urllib.parse.parse_qs(query)
            status, result = self._answer(method, path, body)
            return status, b"" if status == 204 else json.dumps(result).encode()

    def _answer(self, method, path, body):
        for known, pattern, route in ROUTES:
            if known == method and (match := pattern.fullmatch(path)):
                try:
                    return route(self, body, *map(urllib.parse.unquote, match.groups()))
                except KeyError:
                    return 404, {"detail": "There is no such object."}
        self.unknown.add(f"{method} {path}")
        return 501, {"detail": "The fake API does not know this route."}

    def count(self, event, run):
        """The number of events of this name for a run."""
        with self.lock:
            return self.events.get(event, {}).get(run, 0)

    # Pools and workers

    def make_pool(self, body):
        pool = made(
            body,
            description=None,
            is_paused=False,
            concurrency_limit=None,
            status="READY",
            default_queue_id=new_id(),
            storage_configuration={},
            active_slots=None,
        )
        self.pools[body["name"]] = pool
        return 201, pool

    def read_pool(self, _, name):
        return 200, self.pools[name]

    def remove_pool(self, _, name):
        del self.pools[name]
        return 204, None

    def poll(self, body, name):
        pool = self.pools[name]
        ids = list(self.waiting)[: body.get("limit") or 200]
        return 200, [
            {
                "work_pool_id": pool["id"],
                "work_queue_id": pool["default_queue_id"],
                "flow_run": {**self.runs[run], "state": None},
            }
            for run in ids
        ]

    def take_heartbeat(self, body, _):
        self.workers[body["name"]] = made(body, status="ONLINE")
        return 204, None

    def read_workers(self, *_):
        return 200, list(self.workers.values())

    def read_queues(self, _, pool):
        return 200, [made({"id": self.pools[pool]["default_queue_id"], "name": "default"}, is_paused=False)]

    # Flows and deployments

    def make_flow(self, body):
        flow = made(body, tags=[], labels={})
        self.flows[flow["id"]] = flow
        return 201, flow

    def read_flow(self, _, flow):
        return 200, self.flows[flow]

    def remove_flow(self, _, flow):
        del self.flows[flow]
        return 204, None

    def make_deployment(self, body):
        deployment = made(body, tags=[], parameters={}, parameter_openapi_schema={}, entrypoint=None, status="READY")
        self.deployments[deployment["id"]] = deployment
        return 201, deployment

    def read_deployment(self, _, deployment):
        return 200, self.deployments[deployment]

    def filter_deployments(self, body):
        start = body.get("offset", 0)
        return 200, list(self.deployments.values())[start : start + (body.get("limit") or 200)]

    # Runs

    def make_run(self, body, deployment):
        of = self.deployments[deployment]
        run = made(
            {},
            name=f"soak-run-{len(self.runs)}",
            flow_id=of["flow_id"],
            deployment_id=of["id"],
            parameters=of["parameters"],
            context={},
            empirical_policy={"max_retries": 0, "retry_delay_seconds": 0, "retries": None, "retry_delay": None},
            tags=of["tags"],
            labels={"prefect.flow.id": of["flow_id"]},
            run_count=0,
            total_run_time=0.0,
            auto_scheduled=False,
            infrastructure_pid=None,
            job_variables={},
            work_pool_name=of["work_pool_name"],
        )
        run["expected_start_time"] = run["next_scheduled_start_time"] = run["created"]
        self.runs[run["id"]] = run
        self.waiting[run["id"]] = None
        enter(run, body["state"])
        return 201, run

    def read_run(self, _, run):
        return 200, self.runs[run]

    def change_run(self, body, run):
        self.runs[run].update(body)
        return 204, None

    def label_run(self, body, run):
        self.runs[run]["labels"].update(body)
        return 204, None

    def set_state(self, body, run):
        run, proposed = self.runs[run], body["state"]
        verdict, reason = judge(run, proposed, body.get("force"))
        if verdict == "ACCEPT":
            enter(run, proposed)
            self.states.setdefault(run["id"], []).append(run["state"])
            if proposed["type"] == "SCHEDULED":
                self.waiting[run["id"]] = None
            else:
                self.waiting.pop(run["id"], None)
        details = {"type": f"{verdict.lower()}_details", **({} if verdict == "ACCEPT" else {"reason": reason})}
        return 201 if verdict == "ACCEPT" else 200, {"state": run["state"], "status": verdict, "details": details}

    def read_states(self, _):
        return 200, self.states.get(self.query["flow_run_id"][0], [])

    def write_input(self, body, run):
        inputs = self.inputs.setdefault(self.runs[run]["id"], {})
        if body["key"] in inputs:
            return 409, {"detail": "There is such an input."}
        inputs[body["key"]] = body["value"]
        return 201, None

    def read_input(self, _, run, key):
        return 200, json.loads(self.inputs[run][key])

    def filter_runs(self, body):
        wanted = body["flow_runs"]
        types = wanted["state"]["type"]["any_"]
        ids = wanted["id"]["any_"] if "id" in wanted else self.runs
        found = [self.runs[run] for run in ids if run in self.runs and self.runs[run]["state_type"] in types]
        start = body.get("offset", 0)
        return 200, found[start : start + (body.get("limit") or 200)]

    # Logs and events

    def take_logs(self, body):
        self.log_lines += len(body)
        return 201, None

    def take_events(self, body):
        for event in body:
            roles = {each["prefect.resource.role"]: each["prefect.resource.id"] for each in event["related"]}
            run = roles.get("flow-run", "").rpartition(".")[2] or None
            counts = self.events.setdefault(event["event"], {})
            counts[run] = counts.get(run, 0) + 1
        return 204, None


def new_id():
    return str(uuid.uuid4())


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat().replace("+00:00", "Z")


def made(body, **more):
    moment = now()
    return {"id": new_id(), "created": moment, "updated": moment, **more, **body}


def enter(run, state):
    state = {"name": state["type"].capitalize(), "message": None, "data": None, "state_details": {}, **state}
    run["state"] = {**state, "id": new_id(), "timestamp": now()}
    run["state_type"], run["state_name"] = state["type"], state["name"]


def judge(run, proposed, force):
    """The server's rules for a single worker whose runs are not cancelled: a verdict and its reason."""
    old, new = run["state"], proposed
    if force:
        return "ACCEPT", None
    if (mark := new["state_details"].get("transition_id")) and mark == old["state_details"].get("transition_id"):
        return "REJECT", "This run has already made this state transition."
    if old["type"] in FINAL:
        return "ABORT", f"Run is already in terminal state {old['type']}."
    if new["type"] == "PENDING" and old["type"] != "SCHEDULED":
        if old["type"] != "PENDING" or new["name"] in (old["name"], "Pending"):
            return "ABORT", f"This run is in a {old['type']} state and cannot transition to a PENDING state."
    return "ACCEPT", None


def missing(*_):
    return 404, {"detail": "Not Found"}


ROUTES = [
    (method, re.compile(path.replace("{}", "([^/]+)")), route)
    for method, path, route in (
        ("GET", "/csrf-token", missing),
        # There are no WebSockets.
        ("GET", "/events/in", missing),
        ("GET", "/events/out", missing),
        ("GET", "/work_pools/{}/workers/connect", missing),
        ("POST", "/work_pools/", FakeAPI.make_pool),
        ("GET", "/work_pools/{}", FakeAPI.read_pool),
        ("DELETE", "/work_pools/{}", FakeAPI.remove_pool),
        ("POST", "/work_pools/{}/get_scheduled_flow_runs", FakeAPI.poll),
        ("POST", "/work_pools/{}/workers/heartbeat", FakeAPI.take_heartbeat),
        ("POST", "/work_pools/{}/workers/filter", FakeAPI.read_workers),
        ("POST", "/work_pools/{}/queues/filter", FakeAPI.read_queues),
        ("POST", "/flows/", FakeAPI.make_flow),
        ("GET", "/flows/{}", FakeAPI.read_flow),
        ("DELETE", "/flows/{}", FakeAPI.remove_flow),
        ("POST", "/deployments/", FakeAPI.make_deployment),
        ("POST", "/deployments/filter", FakeAPI.filter_deployments),
        ("GET", "/deployments/{}", FakeAPI.read_deployment),
        ("POST", "/deployments/{}/create_flow_run", FakeAPI.make_run),
        ("POST", "/flow_runs/filter", FakeAPI.filter_runs),
        ("GET", "/flow_runs/{}", FakeAPI.read_run),
        ("PATCH", "/flow_runs/{}", FakeAPI.change_run),
        ("PATCH", "/flow_runs/{}/labels", FakeAPI.label_run),
        ("POST", "/flow_runs/{}/set_state", FakeAPI.set_state),
        ("POST", "/flow_runs/{}/input", FakeAPI.write_input),
        ("GET", "/flow_runs/{}/input/{}", FakeAPI.read_input),
        ("GET", "/flow_run_states/", FakeAPI.read_states),
        ("POST", "/logs/", FakeAPI.take_logs),
        ("POST", "/events", FakeAPI.take_events),
    )
]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        # A worker that exits, or that does not need an answer any more, resets its connections.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # Each answer is one packet.
    timeout = 5  # Prefect's server keeps an idle connection for the same time.

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        parts = urllib.parse.urlsplit(self.path)
        path = parts.path.removeprefix("/api")
        is_of_worker = self.headers.get("User-Agent", "").startswith("prefect/")
        status, text = self.server.api.answer(self.command, path, body, is_of_worker, parts.query)
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = answer

    def log_message(self, *_):
        pass
