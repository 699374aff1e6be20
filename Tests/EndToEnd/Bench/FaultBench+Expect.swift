import PrefectJSON
import TestSupport
import Testing

extension FaultBench {
    /// The reports that a run must have, besides its end.
    struct Telling: OptionSet {
        let rawValue: Int
        /// Its process and the worker's labels.
        static let process = Telling(rawValue: 1)
        /// The log lines of its submission.
        static let submission = Telling(rawValue: 2)
        /// The event of its submission.
        static let submittedEvent = Telling(rawValue: 4)
        /// The event of its end.
        static let executedEvent = Telling(rawValue: 8)
        static let all: Telling = [.process, .submission, .submittedEvent, .executedEvent]
    }

    /// Waits until all runs have ended as expected with all reports, and nothing but the workers remains. Expects that
    /// no run began twice and that no event was sent twice.
    func expectEnds(_ runs: [Run], telling: Telling = .all, workers: [ChildProcess]) async throws {
        var problems: [String] = []
        do {
            try await eventually(
                within: .seconds(240), "all runs have ended and been reported", every: .milliseconds(500)
            ) {
                let states = try await bench.flowRuns()
                problems = runs.flatMap { problemsOfState($0, states[$0.id] ?? .null, telling) }
                // A run with another final state does not change any more.
                let isWrong = runs.contains { run in
                    let type = states[run.id]?["state_type"]?.stringValue ?? ""
                    return TestBench.finalStates.contains(type) && type != run.ending.rawValue.uppercased()
                }
                if isWrong { return true }
                if problems.isEmpty { problems = try await problemsOfLogs(runs, telling) }
                if problems.isEmpty { problems = try await problemsOfEvents(runs, telling) }
                if problems.isEmpty { problems = try await problemsOfRemains(workers) }
                return problems.isEmpty
            }
        } catch let timeout as WaitTimeout {
            try await problems += histories(runs)
            throw WaitTimeout(
                what: timeout.what, timeout: timeout.timeout,
                detail: timeout.detail + "\n  " + problems.joined(separator: "\n  "))
        }
        for run in runs {
            let count = noted("begin").filter { $0 == run.id }.count
            if count != 1 { problems.append("\(run.id) ran \(count) times") }
        }
        guard !problems.isEmpty else { return }
        try await problems += histories(runs)
        Issue.record("\(problems.joined(separator: "\n"))\n\(workers.map(\.summary).joined(separator: "\n"))")
    }

    /// The states and the requests of runs, for messages.
    private func histories(_ runs: [Run]) async throws -> [String] {
        var histories: [String] = []
        for run in runs {
            let states = try await bench.server.stateHistory(of: run.id)
            let requests = proxy.requests.filter { $0.path.contains(run.id) }
            histories.append("\(run.id) had the states \(states), \(requests)")
        }
        return histories
    }

    /// Whether the server has the process and the worker of each of these runs.
    func areTold(_ runs: [Run]) async throws -> Bool {
        let states = try await bench.flowRuns()
        return runs.allSatisfy { run in
            let found = states[run.id]
            return found?["infrastructure_pid"]?.stringValue != nil
                && found?["labels"]?["prefect.worker.name"]?.stringValue != nil
        }
    }

    private func problemsOfState(_ run: Run, _ found: JSONValue, _ telling: Telling) -> [String] {
        var problems: [String] = []
        let name = found["state_name"]?.stringValue ?? "missing"
        let message = found["state"]?["message"]?.stringValue ?? ""
        if name != run.ending.rawValue {
            problems.append("\(run.id) is \(name), not \(run.ending.rawValue): \(message)")
        } else if run.ending == .crashed, !message.contains("exited with non-zero status code 3.") {
            problems.append("\(run.id) crashed without its exit code: \(message)")
        }
        if telling.contains(.process) {
            if found["infrastructure_pid"]?.stringValue == nil { problems.append("\(run.id) has no process") }
            if found["labels"]?["prefect.worker.name"]?.stringValue == nil {
                problems.append("\(run.id) has no labels")
            }
        }
        return problems
    }

    private func problemsOfLogs(_ runs: [Run], _ telling: Telling) async throws -> [String] {
        let filter: JSONValue = [
            "logs": ["flow_run_id": ["any_": .array(runs.map { .string($0.id) })]], "limit": 200,
            "sort": "TIMESTAMP_ASC",
        ]
        let lines = try await bench.server.call("POST", "/logs/filter", filter).arrayValue ?? []
        return runs.flatMap { run in
            let said = lines.filter { $0["flow_run_id"]?.stringValue == run.id }
                .compactMap { $0["message"]?.stringValue }
            var parts = telling.contains(.submission) ? ["submitting flow run", "submitted to infrastructure"] : []
            switch run.ending {
            case .completed: break
            case .crashed: parts += ["as crashed: Flow run infrastructure exited", "these are the last words"]
            case .cancelled: parts += ["was cancelled"]
            }
            return parts.filter { part in !said.contains { $0.contains(part) } }
                .map { "\(run.id) has no line with '\($0)' but \(said)" }
        }
    }

    private func problemsOfEvents(_ runs: [Run], _ telling: Telling) async throws -> [String] {
        let pool = try await bench.server.pool(bench.pool)["id"]?.stringValue ?? ""
        let kinds: [(Telling, String)] = [
            (.submittedEvent, "prefect.worker.submitted-flow-run"),
            (.executedEvent, "prefect.worker.executed-flow-run"),
        ]
        let events = try await bench.server.events(named: kinds.map(\.1), resource: "prefect.work-pool.\(pool)")
        return runs.flatMap { run in
            kinds.compactMap { kind, name in
                let count = events.filter { event in
                    event["event"]?.stringValue == name
                        && event["related"]?.arrayValue?.contains {
                            $0["prefect.resource.id"]?.stringValue == "prefect.flow-run.\(run.id)"
                        } == true
                }.count
                let isRight = telling.contains(kind) ? count == 1 : count <= 1
                return isRight ? nil : "\(run.id) has \(count) events \(name)"
            }
        }
    }

    private func problemsOfRemains(_ workers: [ChildProcess]) async throws -> [String] {
        let remains = try await bench.remains().map { "left: \($0)" }
        let processes = Set(bench.survivors()).subtracting(workers.map(\.processID))
            .map { "left: \($0): \(ProcessTable.commandLine($0))" }
        // A worker with warm engines keeps such a process without runs.
        return remains + processes.filter { !$0.contains("prefect_worker_zygote") }
    }
}
