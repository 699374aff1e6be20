import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Creation of jobs")
struct CreationTests {
    /// Starts the watches, which keep both open connections busy. libcurl itself repeats a request whose kept
    /// connection breaks, and the tests count requests.
    private func occupyConnections(_ bench: Workbench) async throws {
        let other = InfrastructureIdentifier(rawValue: "default:elsewhere")
        await bench.backend.adopt(other, flowRunID: "r", flowRunName: "r")
        try await bench.waitUntilWatched()
    }

    @Test("a job whose creation answer is lost is found again and not created twice")
    func lostAnswer() async throws {
        try await withWorkbench { bench in
            try await occupyConnections(bench)
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .loseAnswer)
            let identifier = try await bench.job().start()
            #expect(bench.api.names(of: "jobs").count == 1)
            #expect(identifier.rawValue == "default:\(bench.jobName)")
            #expect(identifier.handle["uid"]?.stringValue?.hasPrefix("uid-") == true)
            #expect(bench.api.requests("POST", "/jobs").count == 1)
        }
    }

    @Test("a creation that is repeated after a lost answer and a failed look-up finds the existing job")
    func lostAnswerTwice() async throws {
        try await withWorkbench { bench in
            try await occupyConnections(bench)
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .loseAnswer)
            bench.api.fail(RequestPattern(method: "GET", path: "*/jobs/*"), .drop)
            _ = try await bench.job().start()
            #expect(bench.api.names(of: "jobs").count == 1)
            #expect(bench.api.requests("POST", "/jobs").count == 2)
        }
    }

    @Test("a creation waits as long as the API server requests, and until an absent API server returns")
    func comesBack() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(429, retryAfter: 1))
            let began = ContinuousClock.now
            _ = try await bench.job().start()
            #expect(ContinuousClock.now - began >= .seconds(1))
            await bench.api.goAway()
            async let identifier = bench.job(run: "run-2", claim: "claim-2").start()
            try await eventually("the run's log reports the wait") {
                bench.reporter.lines.count { $0.contains("retrying") } == 2
            }
            // An open connection is reset first. Only the failure of a new one shows that the server cannot be reached.
            try await eventually("the cluster is reported as unreachable") {
                bench.backend.unavailableReason?.contains("cannot be reached") == true
            }
            try await bench.api.comeBack()
            _ = try await identifier
            #expect(bench.api.names(of: "jobs").count == 2)
            try await eventually("the cluster is reported as available again") {
                bench.backend.unavailableReason == nil
            }
        }
    }

    @Test(
        "a creation that the cluster refuses is not retried, and the error states the reason",
        arguments: [
            (403, "Forbidden", "exceeded quota: small", "quota"),
            (404, "NotFound", "namespaces \"default\" not found", "does not exist"),
            (422, "Invalid", "spec is wrong", "refuses the request (422)"),
        ])
    func refused(status: Int, reason: String, message: String, expected: String) async throws {
        try await withWorkbench { bench in
            bench.api.fail(
                RequestPattern(method: "POST", path: "*/jobs"), .answer(status, reason: reason, message: message),
                times: nil)
            let error = await #expect(throws: InfrastructureError.self) { try await bench.job().start() }
            #expect(error?.kind == .refused)
            #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
            #expect(bench.api.requests("POST", "/jobs").count == 1)
        }
    }

    @Test("a creation that fails inside the cluster is tried as often as the settings specify")
    func serverError() async throws {
        try await withWorkbench { bench in
            bench.api.fail(RequestPattern(method: "POST", path: "*/jobs"), .answer(500, message: "webhook"), times: nil)
            let error = await #expect(throws: InfrastructureError.self) { try await bench.job().start() }
            #expect(error?.kind == .unavailable)
            #expect(bench.api.requests("POST", "/jobs").count == 3)
        }
    }

    @Test("a creation fails if another run's job has the same name")
    func nameTaken() async throws {
        try await withWorkbench { bench in
            let name = "otter-" + JobName.suffix(claimID: "claim-1")
            bench.api.put("jobs", ["metadata": ["name": .string(name), "labels": ["prefect.io/flow-run-id": "other"]]])
            await #expect(throws: InfrastructureError.self) { try await bench.job().start() }
        }
    }
}
