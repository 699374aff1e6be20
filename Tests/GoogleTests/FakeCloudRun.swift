import BackendKit
import Foundation
import PrefectJSON
import Synchronization

/// Cloud Run in memory, in the words of both versions of its API. Its jobs run until a test ends them.
final class FakeCloudRun: Sendable {
    /// A fault of the requests whose method and path contain a text.
    struct Fault: Sendable {
        let part: String
        var times = 1
        /// Whether the request is carried out before its answer is lost.
        var hasEffect = false
        /// The answer; none breaks the connection.
        var answer: FakeGoogle.Answer = .broken
    }

    struct Job: Sendable {
        var body: JSONValue
        var executions = 0
        var outcome: (succeeded: Bool, message: String)?
    }

    struct State: Sendable {
        var jobs: [String: Job] = [:]
        var faults: [Fault] = []
        /// The jobs on one page of a list.
        var pageSize = 1000
    }

    let state = Mutex(State())

    var names: [String] { state.withLock { $0.jobs.keys.sorted() } }

    func executions(of job: String) -> Int { state.withLock { $0.jobs[job]?.executions ?? 0 } }

    /// Ends the execution of each job.
    func end(_ succeeded: Bool = true, _ message: String = "") {
        state.withLock { state in
            for name in state.jobs.keys { state.jobs[name]?.outcome = (succeeded, message) }
        }
    }

    func fail(_ part: String, times: Int = 1, hasEffect: Bool = false, _ answer: FakeGoogle.Answer = .broken) {
        state.withLock { $0.faults.append(Fault(part: part, times: times, hasEffect: hasEffect, answer: answer)) }
    }

    /// Answers a request of a client.
    func answer(_ request: FakeGoogle.Request) -> FakeGoogle.Answer {
        if request.path.hasSuffix("/token") { return .json(["access_token": "t", "expires_in": 3600]) }
        return state.withLock { state in
            let line = "\(request.method) \(request.path)"
            let index = state.faults.firstIndex { line.contains($0.part) && $0.times > 0 }
            if let index {
                state.faults[index].times -= 1
                if state.faults[index].hasEffect { _ = Self.carryOut(request, &state) }
                return state.faults[index].answer
            }
            return Self.carryOut(request, &state)
        }
    }

    private static let missing = FakeGoogle.Answer.status(
        404, ["error": ["status": "NOT_FOUND", "message": "Resource does not exist."]])

    private static func carryOut(_ request: FakeGoogle.Request, _ state: inout State) -> FakeGoogle.Answer {
        let isV2 = request.path.hasPrefix("/v2/")
        let parts = request.path.split(separator: "/").map(String.init)
        guard let collection = parts.firstIndex(where: { ["jobs", "executions", "tasks"].contains($0) }) else {
            return missing
        }
        var rest = Array(parts[(collection + 1)...])
        if parts[collection] == "tasks" || rest.last == "tasks" {
            let task: JSONValue = ["lastAttemptResult": ["exitCode": 7]]
            return .json(isV2 ? ["tasks": [task]] : ["items": [["status": task]]])
        }
        if parts[collection] == "executions" {
            rest = [rest.first.map { String($0.dropLast("-run".count)) } ?? "", "executions", "one"]
        }
        let verb = rest.first?.split(separator: ":").dropFirst().first.map(String.init)
        let name = rest.first?.split(separator: ":").first.map(String.init) ?? ""
        switch (request.method, rest.count) {
        case ("POST", 0):
            let name = isV2 ? request.parameter("jobId") : request.json["metadata"]?["name"]?.stringValue
            guard let name else { return missing }
            guard state.jobs[name] == nil else {
                return .status(409, ["error": ["status": "ALREADY_EXISTS", "message": "It exists already."]])
            }
            state.jobs[name] = Job(body: request.json)
            return .json(isV2 ? ["name": "operations/1"] : shown(name, state, isV2))
        case ("POST", 1) where verb == "run":
            guard state.jobs[name] != nil else { return missing }
            state.jobs[name]?.executions += 1
            return .json([:])
        case ("GET", 0):
            let names = state.jobs.keys.sorted()
            let start = Int(request.parameter(isV2 ? "pageToken" : "continue") ?? "0") ?? 0
            let page = names[min(start, names.count)..<min(start + state.pageSize, names.count)]
            let next = start + page.count < names.count ? String(start + page.count) : ""
            let items = JSONValue.array(page.map { shown($0, state, isV2) })
            return .json(
                isV2
                    ? ["jobs": items, "nextPageToken": .string(next)]
                    : ["items": items, "metadata": ["continue": .string(next)]])
        case ("GET", 1): return state.jobs[name] == nil ? missing : .json(shown(name, state, isV2))
        case ("GET", 2):
            let items = (state.jobs[name]?.executions ?? 0) > 0 ? [execution(name, state, isV2)] : []
            return .json(["executions": .array(items)])
        case ("GET", _): return state.jobs[name] == nil ? missing : .json(execution(name, state, isV2))
        case ("DELETE", 1):
            return state.jobs.removeValue(forKey: name) == nil ? missing : .json([:])
        case ("DELETE", _): return .json([:])
        default: return missing
        }
    }

    private static func shown(_ name: String, _ state: State, _ isV2: Bool) -> JSONValue {
        guard let job = state.jobs[name] else { return .null }
        var latest: JSONValue = [:]
        if job.executions > 0 { latest["name"] = .string(isV2 ? "a/executions/\(name)-run" : "\(name)-run") }
        if job.outcome != nil { latest[isV2 ? "completionTime" : "completionTimestamp"] = "2026-01-01T00:00:00Z" }
        var shown = job.body
        if isV2 {
            shown["name"] = .string("projects/p/locations/r/jobs/\(name)")
            shown["terminalCondition"] = ["type": "Ready", "state": "CONDITION_SUCCEEDED"]
            shown["latestCreatedExecution"] = latest
        } else {
            shown["status"] = [
                "conditions": [["type": "Ready", "status": "True"]], "latestCreatedExecution": latest,
            ]
        }
        return shown
    }

    private static func execution(_ name: String, _ state: State, _ isV2: Bool) -> JSONValue {
        guard let outcome = state.jobs[name]?.outcome else { return ["name": .string("\(name)-run")] }
        var condition: JSONValue = ["type": "Completed", "message": .string(outcome.message)]
        if isV2 {
            condition["state"] = outcome.succeeded ? "CONDITION_SUCCEEDED" : "CONDITION_FAILED"
        } else {
            condition["status"] = outcome.succeeded ? "True" : "False"
        }
        let status: JSONValue = ["conditions": [condition], "completionTime": "2026-01-01T00:00:00Z"]
        if !isV2 { return ["status": status] }
        var shown = status
        shown["name"] = .string("\(name)-run")
        return shown
    }
}
