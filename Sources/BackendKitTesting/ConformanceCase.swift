internal import BackendKit
internal import PrefectConcurrency
internal import PrefectJSON

/// A behaviour that every backend has. A test runs each case against the backend's real infrastructure:
///
///     @Test("the backend conforms", arguments: ConformanceCase.allCases)
///     func conforms(_ conformance: ConformanceCase) async throws {
///         try await conformance.check(MySubject())
///     }
public enum ConformanceCase: String, Sendable, CaseIterable {
    /// A check finds the infrastructure usable, and nothing is unavailable.
    case usable = "a check finds the infrastructure usable, and nothing is unavailable"
    /// The description of a workload shows its command.
    case description = "the description of a workload shows its command"
    /// A job that cannot run is refused in one line.
    case refusals = "a job that cannot run is refused in one line"
    /// The exit code of the command is reported, also to a second wait.
    case exitCodes = "the exit code of the command is reported, also to a second wait"
    /// The command receives the environment of its job.
    case environment = "the command receives the environment of its job"
    /// Many runs at once end with their own exit codes.
    case many = "many runs at once end with their own exit codes"
    /// The output of a run is printed.
    case output = "the output of a run is printed"
    /// A cancelled wait does not affect the run.
    case cancelledWait = "a cancelled wait does not affect the run"
    /// A run that is stopped can end by itself within its grace.
    case gracefulStop = "a run that is stopped can end by itself within its grace"
    /// A run that ignores a stop is ended after its grace.
    case forcedStop = "a run that ignores a stop is ended after its grace"
    /// A stop of a run that has ended does no harm.
    case stopAfterEnd = "a stop of a run that has ended does no harm"
    /// A run that was never started is recognised.
    case neverStarted = "a run that was never started is recognised"
    /// An interrupted start leaves at most one run, which is found again.
    case interruptedStart = "an interrupted start leaves at most one run, which is found again"
    /// A later process finds a run by its identifier and waits for its end.
    case laterProcess = "a later process finds a run by its identifier and waits for its end"
    /// A later process finds a run whose identifier was not recorded.
    case laterProcessByClaim = "a later process finds a run whose identifier was not recorded"
    /// A second start for the same claim finds what the first one created, if the backend promises that.
    case startsOnce = "a second start for the same claim finds what the first one created, if the backend promises that"
    /// A sweep does not touch runs in use.
    case sweep = "a sweep does not touch runs in use"
    /// A run that was cleaned up counts as ended, and a second clean-up does no harm.
    case cleanUp = "a run that was cleaned up counts as ended, and a second clean-up does no harm"

    /// Checks the case. Throws ``ConformanceFailure`` or the error of the backend. Cases can be checked at the same time,
    /// because each has a state directory of its own.
    public func check(_ subject: any ConformanceSubject) async throws {
        let subject = try CaseSubject(subject, "\(self)")
        switch self {
        case .usable: try await Self.checkUsable(subject)
        case .description: try await Self.checkDescription(subject)
        case .refusals: try await Self.checkRefusals(subject)
        case .exitCodes: try await Self.checkExitCodes(subject)
        case .environment: try await Self.checkEnvironment(subject)
        case .many: try await Self.checkMany(subject)
        case .output: try await Self.checkOutput(subject)
        case .cancelledWait: try await Self.checkCancelledWait(subject)
        case .gracefulStop: try await Self.checkGracefulStop(subject)
        case .forcedStop: try await Self.checkForcedStop(subject)
        case .stopAfterEnd: try await Self.checkStopAfterEnd(subject)
        case .neverStarted: try await Self.checkNeverStarted(subject)
        case .interruptedStart: try await Self.checkInterruptedStart(subject)
        case .laterProcess: try await Self.checkLaterProcess(subject)
        case .laterProcessByClaim: try await Self.checkLaterProcessByClaim(subject)
        case .startsOnce: try await Self.checkStartsOnce(subject)
        case .sweep: try await Self.checkSweep(subject)
        case .cleanUp: try await Self.checkCleanUp(subject)
        }
    }
}

extension ConformanceCase {
    private static let untilStopped = "while :; do sleep 0.1; done"

    private static func checkUsable(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            let report = await bench.backend.check()
            try expect(report.isUsable, "check() reports: \(report.findings.map(\.detail).joined(separator: "; "))")
            try expect(
                bench.backend.unavailableReason == nil, "unavailableReason is \(bench.backend.unavailableReason ?? "")")
        }
    }

    private static func checkDescription(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            let shown = try await bench.workload("exit 42").description
            try expect(shown.objectValue != nil, "the description is not an object")
            try expect(
                shown.serialized().contains("exit 42"), "the description lacks the command: \(shown.serialized())")
        }
    }

    private static func checkRefusals(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            for variables in [["env": 7], ["labels": "x"]] + subject.expectations.refusedJobVariables {
                let shown = variables.serialized()
                var refusal: String?
                do {
                    let workload = try await bench.workload("true", variables: variables)
                    let identifier = try await workload.start()
                    try? await workload.stop(identifier, grace: .zero, reason: .shutdown)
                    await workload.cleanUp(identifier)
                } catch is CancellationError {
                    throw CancellationError()
                } catch {
                    refusal = "\(error)"
                    let kind = (error as? InfrastructureError)?.kind
                    try expect(kind == nil || kind == .refused, "\(shown) is not refused but \(error)")
                }
                guard let refusal else { throw ConformanceFailure("\(shown) is accepted") }
                try expect(!refusal.contains("\n"), "the refusal of \(shown) has several lines: \(refusal)")
            }
        }
    }

    private static func checkExitCodes(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            for code in [0, 3] {
                try await bench.started("exit \(code)") { workload, identifier in
                    for wait in ["first", "second"] {
                        let status = try await bench.end(of: workload, identifier)
                        try expect(
                            subject.expectations.accepts(status, code: code),
                            "the \(wait) wait for 'exit \(code)' reports \(status)")
                    }
                }
            }
        }
    }

    private static func checkEnvironment(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            let value = "a  'b' \"c\" $d \\e"
            let script = #"[ "$CONFORMANCE" = "$1" ] && [ -n "$PREFECT__FLOW_RUN_ID" ] || exit 9"#
            try await bench.started(
                script, arguments: [value], variables: ["env": ["CONFORMANCE": .string(value)]]
            ) { workload, identifier in
                let status = try await bench.end(of: workload, identifier)
                try expect(status.code == 0, "the command did not receive its environment: \(status)")
            }
        }
    }

    private static func checkMany(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for code in 0..<8 {
                    group.addTask {
                        try await bench.started("exit \(code)") { workload, identifier in
                            let status = try await bench.end(of: workload, identifier)
                            try expect(
                                subject.expectations.accepts(status, code: code),
                                "the run with 'exit \(code)' reports \(status)")
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    private static func checkOutput(_ subject: any ConformanceSubject) async throws {
        guard subject.expectations.printsOutput else { return }
        try await ConformanceBench.run(subject) { bench in
            let variables: JSONValue = ["stream_output": true]
            try await bench.started("echo first; echo second", variables: variables) { workload, identifier in
                try expect(workload.streamsOutput, "streamsOutput is false although the job requests the output")
                _ = try await bench.end(of: workload, identifier)
                // On a busy host, a log may receive the last lines after the end of the infrastructure.
                let clock = ContinuousClock()
                let deadline = clock.now + .seconds(10)
                var text = ""
                repeat {
                    await bench.backend.flushOutput(within: .seconds(10))
                    text = bench.sink.text
                    if text.contains("second") { break }
                    try await Task.sleep(for: .milliseconds(100))
                } while clock.now < deadline
                try expect(text.contains("first") && text.contains("second"), "the printed output is '\(text)'")
            }
        }
    }

    private static func checkCancelledWait(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            try await bench.started("sleep 5; exit 4") { workload, identifier in
                await raceOf(
                    { _ = try? await workload.wait(for: identifier) }, { try? await Task.sleep(for: .seconds(1)) })
                let status = try await bench.end(of: workload, identifier)
                try expect(
                    subject.expectations.accepts(status, code: 4), "after a cancelled wait the run reports \(status)")
            }
        }
    }

    private static func checkGracefulStop(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            try await bench.started("trap 'exit 5' TERM; \(untilStopped)") { workload, identifier in
                try await Task.sleep(for: subject.expectations.beginning)
                try await bench.answered("the stop") {
                    try await workload.stop(identifier, grace: .seconds(60), reason: .shutdown)
                }
                let status = try await bench.end(of: workload, identifier)
                guard subject.expectations.reportsCodeOfStopped else { return }
                try expect(status.code == 5, "a run that ended within its grace reports \(status)")
            }
        }
    }

    private static func checkForcedStop(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            try await bench.started("trap '' TERM; \(untilStopped)") { workload, identifier in
                try await Task.sleep(for: subject.expectations.beginning)
                try await bench.answered("the stop") {
                    try await workload.stop(identifier, grace: .seconds(1), reason: .cancelled)
                }
                let status = try await bench.end(of: workload, identifier)
                try expect(status.code != 0, "a run that was ended by force reports \(status)")
            }
        }
    }

    private static func checkStopAfterEnd(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            try await bench.started("exit 0") { workload, identifier in
                _ = try await bench.end(of: workload, identifier)
                do {
                    try await bench.answered("the stop") {
                        try await workload.stop(identifier, grace: .seconds(1), reason: .cancelled)
                    }
                } catch let error as InfrastructureError where error.kind == .notFound {}
            }
        }
    }

    private static func checkNeverStarted(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            let workload = try await bench.workload("exit 0")
            let found = try await bench.answered("the recovery") { try await workload.recover(nil) }
            try expect(found == .neverStarted, "a run that was never started is \(found)")
        }
    }

    private static func checkInterruptedStart(_ subject: any ConformanceSubject) async throws {
        for pause in [0, 30, 300] {
            try await ConformanceBench.run(subject) { bench in
                let workload = try await bench.workload("sleep 3; exit 0")
                await raceOf(
                    { _ = try? await workload.start() }, { try? await Task.sleep(for: .milliseconds(pause)) })
                switch try await bench.answered("the recovery", { try await workload.recover(nil) }) {
                case .present(let identifier):
                    let status = try await bench.end(of: workload, identifier)
                    try expect(status.code == 0, "the run of an interrupted start reports \(status)")
                    await workload.cleanUp(identifier)
                case .ended(let identifier): await workload.cleanUp(identifier)
                case .neverStarted:
                    let again = try await bench.answered("the recovery") { try await workload.recover(nil) }
                    try expect(again == .neverStarted, "a run that would never start is \(again)")
                case .outOfReach: throw ConformanceFailure("the run of an interrupted start is out of reach")
                }
            }
        }
    }

    private static func checkLaterProcess(_ subject: any ConformanceSubject) async throws {
        let run = ConformanceRun()
        let started = try await ConformanceBench.run(subject) { bench in
            try await bench.workload("sleep 6; exit 6", of: run).start()
        }
        // The identifier passes through a file.
        let identifier = InfrastructureIdentifier(
            rawValue: started.rawValue, handle: try JSONValue(parsing: started.handle.serializedBytes()))
        try await ConformanceBench.run(subject) { bench in
            await bench.backend.removeOrphans(except: [run.id])
            await bench.backend.adopt(identifier, flowRunID: run.id, flowRunName: run.name)
            let workload = try await bench.workload("sleep 6; exit 6", of: run)
            let found = try await bench.answered("the recovery") { try await workload.recover(identifier) }
            try expect(found == .present(identifier), "a run of an earlier process is \(found)")
            let status = try await bench.end(of: workload, identifier)
            let isKnown = subject.expectations.reportsCodeToLaterProcess
            try expect(
                subject.expectations.accepts(status, code: 6) || !isKnown && status.code == nil,
                "a run of an earlier process reports \(status)")
            await workload.cleanUp(identifier)
        }
    }

    private static func checkLaterProcessByClaim(_ subject: any ConformanceSubject) async throws {
        let run = ConformanceRun()
        let identifier = try await ConformanceBench.run(subject) { bench in
            try await bench.workload(untilStopped, of: run).start()
        }
        try await ConformanceBench.run(subject) { bench in
            await bench.backend.removeOrphans(except: [run.id])
            let workload = try await bench.workload(untilStopped, of: run)
            guard
                case .present(let found) = try await bench.answered("the recovery", { try await workload.recover(nil) })
            else { throw ConformanceFailure("a run without a recorded identifier is not found") }
            try expect(
                found.rawValue == identifier.rawValue, "a run is found as '\(found)' and was started as '\(identifier)'"
            )
            try await bench.answered("the stop") { try await workload.stop(found, grace: .zero, reason: .cancelled) }
            _ = try await bench.end(of: workload, found)
            await workload.cleanUp(found)
        }
    }

    private static func checkStartsOnce(_ subject: any ConformanceSubject) async throws {
        let run = ConformanceRun()
        let first = try await ConformanceBench.run(subject) { bench -> InfrastructureIdentifier? in
            guard bench.backend.traits.startsClaimOnce else { return nil }
            return try await bench.workload(untilStopped, of: run).start()
        }
        guard let first else { return }
        try await ConformanceBench.run(subject) { bench in
            let workload = try await bench.workload(untilStopped, of: run)
            let second = try await workload.start()
            try expect(second == first, "a second start for the claim of '\(first)' creates '\(second)'")
            try await bench.answered("the stop") { try await workload.stop(second, grace: .zero, reason: .cancelled) }
            _ = try await bench.end(of: workload, second)
            await workload.cleanUp(second)
        }
    }

    private static func checkSweep(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            try await bench.started("sleep 4; exit 7") { workload, identifier in
                await bench.backend.removeOrphans(except: [])
                let status = try await bench.end(of: workload, identifier)
                await bench.backend.removeOrphans(except: [])
                let again = try await bench.end(of: workload, identifier)
                try expect(
                    subject.expectations.accepts(status, code: 7) && subject.expectations.accepts(again, code: 7),
                    "after a sweep the run reports \(status), then \(again)")
            }
        }
    }

    private static func checkCleanUp(_ subject: any ConformanceSubject) async throws {
        try await ConformanceBench.run(subject) { bench in
            let workload = try await bench.workload("exit 0")
            let identifier = try await workload.start()
            _ = try await bench.end(of: workload, identifier)
            await workload.cleanUp(identifier)
            await workload.cleanUp(identifier)
            let found = try await bench.answered("the recovery") { try await workload.recover(identifier) }
            switch found {
            case .ended, .present: break
            case .neverStarted, .outOfReach: throw ConformanceFailure("a run that was cleaned up is \(found)")
            }
        }
    }

    private static func expect(_ condition: Bool, _ failure: @autoclosure () -> String) throws {
        guard condition else { throw ConformanceFailure(failure()) }
    }
}
