"""An OpenTelemetry receiver: checks each request against the published protocol, and prints its content.

The first line is the port. Each further line is a JSON object with the path and the content of a request.
"""

import http.server
import json

from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MESSAGES = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # The worker has exited.
            return
        try:
            if self.headers["Content-Type"] != "application/json":
                raise ValueError("the type is " + self.headers["Content-Type"])
            content = json.loads(body)
            # The identifiers are hexadecimal, and bytes of other messages are Base64.
            checked = json_format.Parse(body, MESSAGES[self.path]())
            json_format.MessageToDict(checked)
            line = {"path": self.path, "content": content}
            status = 200
        except Exception as error:
            line = {"path": self.path, "error": str(error)}
            status = 400
        print(json.dumps(line), flush=True)
        self.send_response(status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
print(server.server_port, flush=True)
server.serve_forever()
