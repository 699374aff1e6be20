"""A Kubernetes API server and a Docker Engine that hold jobs and containers in memory. They start nothing.

Each of them has only the routes that a worker needs for runs that stay in flight. They answer 501 to unknown requests
and note them in `unknown`. A pod and a container run as soon as they exist, print one line and never end.
"""

import asyncio
import datetime
import json
import re
import struct
import threading
import urllib.parse
import uuid

LINE = b"The flow has begun.\n"


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Stream:
    """An answer without an end: the bytes that it begins with, and a queue of further ones."""

    def __init__(self, beginning=b""):
        self.beginning = beginning
        self.queue = asyncio.Queue()


class FakeServer:
    """Serves HTTP on a thread of its own. A subclass answers requests with a status and JSON, or with a stream."""

    def __init__(self):
        self.unknown, self.streams = set(), 0
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def begin(self, make_server):
        asyncio.run_coroutine_threadsafe(make_server(), self.loop).result()

    async def serve(self, reader, writer):
        try:
            while line := await reader.readline():
                method, target, _ = line.decode("latin-1").split()
                length = 0
                while (field := await reader.readline()) not in (b"\r\n", b""):
                    name, _, value = field.decode("latin-1").partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body = json.loads(await reader.readexactly(length)) if length else None
                parts = urllib.parse.urlsplit(target)
                answer = self.answer(method, parts.path, dict(urllib.parse.parse_qsl(parts.query)), body)
                if isinstance(answer, Stream):
                    return await self.send(answer, reader, writer)
                status, value = answer
                if status == 501:
                    self.unknown.add(f"{method} {parts.path}")
                text = b"" if status == 204 else json.dumps(value).encode()
                head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                head += "\r\n" if status == 204 else f"Content-Length: {len(text)}\r\n\r\n"
                writer.write(head.encode() + text)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # The worker has closed the connection.
        finally:
            writer.close()

    async def send(self, stream, reader, writer):
        """Sends the portions of a stream until the worker closes the connection."""
        writer.write(b"HTTP/1.1 200 -\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        self.streams += 1
        closed = asyncio.ensure_future(reader.read())
        portion = stream.beginning
        try:
            while True:
                if portion:
                    writer.write(b"%x\r\n%s\r\n" % (len(portion), portion))
                following = asyncio.ensure_future(stream.queue.get())
                done, _ = await asyncio.wait({closed, following}, return_when=asyncio.FIRST_COMPLETED)
                if closed in done:
                    following.cancel()
                    return
                portion = following.result()
        finally:
            self.streams -= 1
            self.forget(stream)

    def forget(self, stream):
        """Called when a stream has ended."""


class FakeCluster(FakeServer):
    """A Kubernetes API server on a free port. It has no TLS, and so it has no HTTP/2 either."""

    def __init__(self):
        super().__init__()
        self.jobs, self.pods, self.version = {}, {}, 0  # Names -> serialized objects.
        self.watches = {"jobs": [], "pods": []}

        async def listen():
            server = await asyncio.start_server(self.serve, "127.0.0.1", 0, backlog=4096, limit=1 << 20)
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            asyncio.ensure_future(self.send_bookmarks())

        self.begin(listen)

    @property
    def count(self):
        return len(self.jobs)

    @property
    def logs(self):
        """The number of logs that the worker reads."""
        return self.streams - sum(map(len, self.watches.values()))

    def kubeconfig(self):
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
            "clusters": [{"name": "fake", "cluster": {"server": self.url}}],
            "users": [{"name": "fake", "user": {}}],
        }

    def answer(self, method, path, query, body):
        if path == "/version":
            return 200, {"gitVersion": "v1.30.0", "major": "1", "minor": "30"}
        if path.endswith("/selfsubjectaccessreviews"):
            return 201, {**body, "status": {"allowed": True}}
        match = re.fullmatch(r"/apis?/.*?v1(?:/namespaces/[^/]+)?/(jobs|pods|events)(?:/([^/]+))?(/log)?", path)
        if not match:
            return 501, {"message": "unknown"}
        kind, name, log = match.groups()
        objects = {"jobs": self.jobs, "pods": self.pods, "events": {}}[kind]
        if method == "POST" and kind == "jobs":
            return 201, self.create(body)
        if method == "GET" and log:
            return Stream(f"{now()} ".encode() + LINE)
        if method == "GET" and name:
            found = objects.get(name)
            return (200, json.loads(found)) if found else (404, {"kind": "Status", "code": 404, "reason": "NotFound"})
        if method == "GET" and query.get("watch"):
            self.watches[kind].append(stream := Stream())
            return stream
        if method == "GET":
            items = [json.loads(each) for each in objects.values()]
            selector = query.get("labelSelector", "")
            if selector.startswith("job-name="):
                items = [each for each in items if each["metadata"]["labels"]["job-name"] == selector[9:]]
            return 200, {"kind": "List", "metadata": {"resourceVersion": str(self.version)}, "items": items}
        return 501, {"message": "unknown"}

    def create(self, job):
        """Creates a job, and its pod that runs."""
        name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
        self.complete(job["metadata"])
        self.put("jobs", "ADDED", {**job, "status": {}})
        template = job["spec"]["template"]
        pod = {"kind": "Pod", "apiVersion": "v1", "spec": {**template["spec"], "nodeName": "node-1"}}
        labels = {**template["metadata"]["labels"], "job-name": name}
        owner = {"kind": "Job", "name": name, "uid": job["metadata"]["uid"]}
        pod["metadata"] = {
            "name": f"{name}-{uuid.uuid4().hex[:5]}",
            "namespace": namespace,
            "labels": labels,
            "ownerReferences": [owner],
        }
        self.complete(pod["metadata"])
        container = {"name": "prefect-job", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}}
        pod["status"] = {"phase": "Pending", "startTime": now(), "containerStatuses": [container]}
        self.put("pods", "ADDED", pod)
        container["state"] = {"running": {"startedAt": now()}}
        pod["status"]["phase"] = "Running"
        self.loop.call_later(0.5, self.put, "pods", "MODIFIED", pod)
        self.loop.call_later(0.5, self.put, "jobs", "MODIFIED", {**job, "status": {"active": 1, "startTime": now()}})
        return job

    def complete(self, metadata):
        metadata.update(uid=str(uuid.uuid4()), creationTimestamp=now())

    def put(self, kind, event, value):
        self.version += 1
        value["metadata"]["resourceVersion"] = str(self.version)
        text = json.dumps(value).encode()
        {"jobs": self.jobs, "pods": self.pods}[kind][value["metadata"]["name"]] = text
        for watch in self.watches[kind]:
            watch.queue.put_nowait(b'{"type":"%s","object":%s}\n' % (event.encode(), text))

    async def send_bookmarks(self):
        """An API server sends a bookmark every minute, so that a silent watch is known to work."""
        while True:
            await asyncio.sleep(60)
            mark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(self.version)}}}
            for watch in sum(self.watches.values(), []):
                watch.queue.put_nowait(json.dumps(mark).encode() + b"\n")

    def forget(self, stream):
        for watches in self.watches.values():
            if stream in watches:
                watches.remove(stream)


class FakeEngine(FakeServer):
    """A Docker Engine on a Unix socket. It has every image."""

    def __init__(self, path):
        super().__init__()
        self.containers = {}
        self.watches = []

        async def listen():
            await asyncio.start_unix_server(self.serve, path, backlog=4096, limit=1 << 20)

        self.begin(listen)

    @property
    def count(self):
        return sum(each["State"]["Status"] == "running" for each in list(self.containers.values()))

    @property
    def logs(self):
        """The number of logs that the worker reads."""
        return self.streams - len(self.watches)

    def answer(self, method, path, query, body):
        path = re.sub(r"^/v\d[\d.]*", "", path)
        if path == "/version":
            return 200, {"Version": "24.0.0", "ApiVersion": "1.43", "MinAPIVersion": "1.12"}
        if path == "/events":
            self.watches.append(stream := Stream())
            return stream
        if re.fullmatch(r"/images/.+/json", path):
            return 200, {"Id": "sha256:" + "0" * 64}
        if path == "/containers/json":
            return 200, []
        if path == "/containers/create":
            return 201, {"Id": self.create(query, body), "Warnings": []}
        match = re.fullmatch(r"/containers/([0-9a-f]+)/(json|start|logs)", path)
        if not match or match[1] not in self.containers:
            return 501, {"message": "unknown"}
        container, action = match.groups()
        if action == "start":
            self.containers[container]["State"]["Status"] = "running"
            self.announce("start", container)
            return 204, None
        if action == "logs":
            record = f"{now()} ".encode() + LINE
            return Stream(struct.pack(">BxxxI", 1, len(record)) + record)
        return 200, self.containers[container]

    def create(self, query, body):
        id = uuid.uuid4().hex + uuid.uuid4().hex
        self.containers[id] = {
            "Id": id,
            "Name": "/" + query.get("name", id),
            "State": {"Status": "created", "ExitCode": 0, "OOMKilled": False, "Error": ""},
            "Config": {key: value for key, value in body.items() if key != "HostConfig"},
            "HostConfig": {"Memory": 0, **body["HostConfig"]},
        }
        return id

    def announce(self, action, container):
        event = {"Type": "container", "Action": action, "Actor": {"ID": container, "Attributes": {}}}
        for watch in self.watches:
            watch.queue.put_nowait(json.dumps(event).encode() + b"\n")

    def forget(self, stream):
        if stream in self.watches:
            self.watches.remove(stream)
