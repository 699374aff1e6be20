internal import FoundationEssentials
internal import OrderedCollections
public import PrefectJSON

/// A small client of a Prefect server, with which tests set up and inspect objects. It shares no code with the worker's
/// own client.
///
/// It repeats requests that a busy server fails: 503 while its database is locked, 429, broken connections. It also
/// works with a ``FakePrefectAPI``.
public struct PrefectServerClient: Sendable {
    /// The server did not answer as expected.
    public struct Failure: Error, CustomStringConvertible {
        /// The request, for example `POST /flows/`.
        public let request: String
        /// The failure.
        public let problem: String

        public var description: String { "\(request): \(problem)" }
    }

    /// The API's URL.
    public let url: String
    /// How long to repeat a request that the server cannot answer at the moment.
    public var patience: Duration
    /// How long to wait for one answer.
    public var timeout = Duration.seconds(60)
    /// Headers of every request, for example `Authorization`.
    public var headers: [(name: String, value: String)] = []
    private let target: HTTPTarget

    /// A client of the API at a URL like `http://127.0.0.1:4200/api`.
    public init(url: String, patience: Duration = .seconds(30)) throws {
        self.url = url
        self.patience = patience
        target = try HTTPTarget(url)
    }

    /// A client of the server that `PREFECT_API_URL` names.
    public static func fromEnvironment() throws -> PrefectServerClient {
        guard let url = ProcessInfo.processInfo.environment["PREFECT_API_URL"] else {
            throw Failure(request: "PREFECT_API_URL", problem: "is not set")
        }
        return try PrefectServerClient(url: url)
    }

    /// Sends a request and returns its answer, with any status. Only a request that the server cannot answer at the
    /// moment is repeated.
    ///
    /// After a broken connection, the request is also repeated, so a server may receive it twice.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The path below the API's URL, with its query.
    ///   - body: The body.
    public func send(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> HTTPAnswer {
        let clock = ContinuousClock()
        let deadline = clock.now + patience
        var pause = Duration.milliseconds(50)
        while true {
            var problem: String
            do {
                let answer = try await HTTPExchange.send(
                    method, host: target.host, port: target.port, path: target.path + path, headers: headers,
                    body: body?.serializedBytes(), timeout: timeout)
                guard [429, 502, 503].contains(answer.status) else { return answer }
                problem = "the answer is \(answer.status)"
            } catch is CancellationError {
                throw CancellationError()
            } catch {
                problem = "there is no answer (\(error))"
            }
            if clock.now >= deadline {
                problem += ", for \(patience) now"
                throw Failure(request: "\(method) \(path)", problem: problem)
            }
            try await Task.sleep(for: pause)
            pause = min(pause * 2, .seconds(1))
        }
    }

    /// Sends a request that must succeed, and returns the body of its answer. Deleting an object that no longer exists
    /// counts as success, because an attempt without an answer may have deleted it.
    @discardableResult
    public func call(_ method: String, _ path: String, _ body: JSONValue? = nil) async throws -> JSONValue {
        let answer = try await send(method, path, body)
        if method == "DELETE", answer.status == 404 { return answer.body }
        return try success(answer, of: "\(method) \(path)")
    }

    private func success(_ answer: HTTPAnswer, of request: String) throws -> JSONValue {
        guard (200..<300).contains(answer.status) else {
            let text = String(decoding: answer.rawBody.prefix(400), as: UTF8.self)
            throw Failure(request: request, problem: "the answer is \(answer.status): \(text)")
        }
        return answer.body
    }

    private func id(_ method: String, _ path: String, _ body: JSONValue) async throws -> String {
        guard let id = try await call(method, path, body)["id"]?.stringValue else {
            throw Failure(request: "\(method) \(path)", problem: "the answer has no id")
        }
        return id
    }
}

extension PrefectServerClient {
    /// Creates a work pool, or finds the existing one of that name, and returns it.
    @discardableResult
    public func createPool(name: String, type: String = "process", template: JSONValue? = nil) async throws -> JSONValue
    {
        var body: JSONValue = ["name": .string(name), "type": .string(type)]
        if let template { body["base_job_template"] = template }
        let answer = try await send("POST", "/work_pools/", body)
        // An attempt without an answer may have created it.
        if answer.status == 409 { return try await pool(name) }
        return try success(answer, of: "POST /work_pools/")
    }

    /// Reads a work pool.
    public func pool(_ name: String) async throws -> JSONValue { try await call("GET", "/work_pools/\(name)") }

    /// Deletes a work pool; a pool that no longer exists is no error.
    public func deletePool(_ name: String) async throws { try await call("DELETE", "/work_pools/\(name)") }

    /// Creates a queue of a pool and returns it.
    @discardableResult
    public func createQueue(_ name: String, pool: String) async throws -> JSONValue {
        try await call("POST", "/work_pools/\(pool)/queues", ["name": .string(name)])
    }

    /// Creates a flow, or finds the existing one of that name, and returns its id.
    public func createFlow(name: String) async throws -> String {
        try await id("POST", "/flows/", ["name": .string(name)])
    }

    /// Creates a deployment and returns its id.
    ///
    /// - Parameters:
    ///   - name: The deployment's name.
    ///   - flow: The flow's id.
    ///   - pool: The pool's name.
    ///   - entrypoint: The location of the flow, for example `flow.py:main`.
    ///   - path: The directory that the entrypoint is relative to.
    ///   - jobVariables: The job variables.
    ///   - others: Further members of the request, which take precedence.
    public func createDeployment(
        name: String, flow: String, pool: String?, entrypoint: String? = nil, path: String? = nil,
        jobVariables: JSONValue = [:], others: JSONValue = [:]
    ) async throws -> String {
        var body: JSONValue = [
            "name": .string(name), "flow_id": .string(flow), "work_pool_name": JSONValue(pool),
            "entrypoint": JSONValue(entrypoint), "path": JSONValue(path), "job_variables": jobVariables,
            "enforce_parameter_schema": false,
        ]
        for (key, value) in others.objectValue ?? [:] { body[key] = value }
        return try await id("POST", "/deployments/", body)
    }

    /// Deletes a deployment; a deployment that no longer exists is no error.
    public func deleteDeployment(_ id: String) async throws { try await call("DELETE", "/deployments/\(id)") }

    /// Creates a scheduled run of a deployment and returns its id.
    ///
    /// - Parameters:
    ///   - deployment: The deployment's id.
    ///   - delay: The time from now until the run is due.
    ///   - jobVariables: The run's own job variables.
    ///   - parameters: The run's parameters.
    ///   - name: The run's name.
    ///   - labels: Labels in addition to those of every run.
    public func createRun(
        deployment: String, after delay: Duration = .zero, jobVariables: JSONValue = [:], parameters: JSONValue = [:],
        name: String? = nil, labels: JSONValue = [:]
    ) async throws -> String {
        let due = WireTime(Date()).adding(seconds: delay / .seconds(1))
        // The key is the same for each attempt, so that only one run exists after an answer was late.
        var body: JSONValue = [
            "job_variables": jobVariables, "parameters": parameters, "labels": labels,
            "idempotency_key": .string(UUID().uuidString),
            "state": ["type": "SCHEDULED", "state_details": ["scheduled_time": .string(due.description)]],
        ]
        if let name { body["name"] = .string(name) }
        return try await id("POST", "/deployments/\(deployment)/create_flow_run", body)
    }

    /// Reads a run.
    public func flowRun(_ id: String) async throws -> JSONValue { try await call("GET", "/flow_runs/\(id)") }

    /// Deletes a run; a run that no longer exists is no error.
    public func deleteRun(_ id: String) async throws { try await call("DELETE", "/flow_runs/\(id)") }

    /// The names of all states of a run, in order.
    public func stateHistory(of run: String) async throws -> [String] {
        let states = try await call("GET", "/flow_run_states/?flow_run_id=\(run)").arrayValue ?? []
        let dated = states.map { ($0["timestamp"]?.stringValue ?? "", $0["name"]?.stringValue ?? "") }
        return dated.sorted { $0.0 < $1.0 }.map(\.1)
    }

    /// Proposes a state, or forces it, and returns the answer.
    @discardableResult
    public func setState(
        of run: String, to type: String, name: String? = nil, message: String? = nil, force: Bool = false
    ) async throws -> JSONValue {
        let state: JSONValue = ["type": .string(type), "name": JSONValue(name), "message": JSONValue(message)]
        return try await call("POST", "/flow_runs/\(run)/set_state", ["state": state, "force": .bool(force)])
    }

    /// Waits until a run is in one of several states, and returns it.
    ///
    /// - Parameters:
    ///   - run: The run's id.
    ///   - names: The names of the states.
    ///   - timeout: How long to wait.
    @discardableResult
    public func waitForRun(
        _ run: String, toBe names: Set<String>, within timeout: Duration = .seconds(60),
        isolation: isolated (any Actor)? = #isolation
    ) async throws -> JSONValue {
        var last: JSONValue = .null
        do {
            try await eventually(within: timeout, "the run is in one of the states", every: .milliseconds(200)) {
                last = try await flowRun(run)
                return names.contains(last["state_name"]?.stringValue ?? "")
            }
        } catch is WaitTimeout {
            let message = last["state"]?["message"]?.stringValue ?? "none"
            throw WaitTimeout(
                what: "run \(run) is \(names.sorted().joined(separator: " or "))", timeout: timeout,
                detail: "it is \(last["state_name"]?.stringValue ?? "unknown"), message: \(message)")
        }
        return last
    }

    /// The messages of a run's logs, in the order of their times.
    public func logs(of run: String) async throws -> [String] {
        let filter: JSONValue = [
            "logs": ["flow_run_id": ["any_": [.string(run)]]], "limit": 200, "sort": "TIMESTAMP_ASC",
        ]
        let items = try await call("POST", "/logs/filter", filter).arrayValue ?? []
        return items.compactMap { $0["message"]?.stringValue }
    }

    /// The newest events with certain names, at most 50. With `resource`, only events of the resource with this id.
    public func events(named names: [String], resource: String? = nil) async throws -> [JSONValue] {
        let now = WireTime(Date())
        var filter: JSONValue = [
            "event": ["name": .array(names.map(JSONValue.string))],
            "occurred": [
                "since": .string(now.adding(seconds: -86_400).description),
                "until": .string(now.adding(seconds: 86_400).description),
            ],
        ]
        if let resource { filter["any_resource"] = ["id": [.string(resource)]] }
        let answer = try await call("POST", "/events/filter", ["filter": filter, "limit": 50])
        return answer["events"]?.arrayValue ?? []
    }
}
