import BackendKit
import BackendKitTesting
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Recovery of jobs")
struct RecoveryTests {
    @Test("a job of an earlier process is found by its identifier or claim, or reported as never started")
    func remains() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            #expect(try await job.recover(nil) == .neverStarted)
            let identifier = try await job.start()
            #expect(try await job.recover(identifier) == .present(identifier))
            #expect(try await job.recover(nil) == .present(identifier))
            // The job of an earlier claim of the same run does not belong to this claim.
            let later = try bench.job(claim: "claim-2")
            #expect(try await later.recover(nil) == .neverStarted)
            let elsewhere = JobReference(namespace: "default", name: bench.jobName, uid: "u", server: "https://other")
            #expect(try await job.recover(elsewhere.identifier) == .outOfReach)
            bench.api.remove("jobs", bench.jobName)
            #expect(try await job.recover(identifier) == .ended(identifier))
            bench.api.fail(RequestPattern(method: "GET", path: "*"), .answer(503), times: nil)
            let error = await #expect(throws: InfrastructureError.self) {
                try await job.recover(identifier)
            }
            #expect(error?.kind == .unavailable)
        }
    }

    @Test("a job that ended unwatched is reported with its result")
    func endedMeanwhile() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            bench.api.put(
                "jobs", ["metadata": ["name": "old", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.putPod("p", ofJob: "old", phase: "Failed", state: ["terminated": ["exitCode": 7]])
            bench.api.finishJob("old", "Failed")
            let identifier = InfrastructureIdentifier(rawValue: "default:old")
            await bench.backend.adopt(identifier, flowRunID: "run-1", flowRunName: "otter")
            #expect(try await job.wait(for: identifier).code == 7)
        }
        // A job that has succeeded is in no list, so the worker requests it.
        try await withWorkbench { bench in
            let job = try bench.job()
            bench.api.put("jobs", ["metadata": ["name": "good", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.finishJob("good", "Complete")
            let good = InfrastructureIdentifier(rawValue: "default:good")
            await bench.backend.adopt(good, flowRunID: "run-1", flowRunName: "otter")
            #expect(try await job.wait(for: good).code == 0)
        }
    }

    @Test("output that a pod printed before a restart of the worker is not printed again", arguments: [false, true])
    func earlierOutput(isNoted: Bool) async throws {
        let directory = try TemporaryDirectory()
        try await withWorkbench(stateDirectory: directory.path) { bench in
            let job = try bench.job()
            bench.api.put(
                "jobs", ["metadata": ["name": "old", "labels": ["prefect.io/flow-run-id": "run-1"]]])
            bench.api.putPod("p", ofJob: "old", phase: "Running", state: ["running": [:]])
            bench.api.setLog(
                "2026-01-01T00:00:00Z before\n2026-01-01T00:00:01Z meanwhile\n2999-01-01T00:00:00Z after\n",
                namespace: "default", pod: "p")
            let uid = bench.api.object("pods", "p")?["metadata"]?["uid"]?.stringValue ?? ""
            let mark = KubernetesBackend.mark(ofPod: uid, flowRunID: "run-1")
            if isNoted {
                var position = OutputPosition()
                _ = position.admits(OutputTime("2026-01-01T00:00:00Z"))
                bench.backend.marks.set(position, of: mark)
            }
            let identifier = InfrastructureIdentifier(rawValue: "default:old")
            await bench.backend.adopt(identifier, flowRunID: "run-1", flowRunName: "otter")
            async let status = job.wait(for: identifier)
            try await eventually("the last line is printed") { bench.output.text.hasSuffix("after\n") }
            bench.api.finishJob("old", "Complete")
            #expect(try await status.code == 0)
            #expect(bench.output.text == (isNoted ? "meanwhile\nafter\n" : "after\n"))
            #expect(bench.backend.marks.position(of: mark)?.time == OutputTime("2999-01-01T00:00:00Z"))
            await bench.backend.removeOrphans(except: ["run-1"])
            #expect(bench.backend.marks.position(of: mark) != nil)
            await job.cleanUp(identifier)
            #expect(bench.backend.marks.position(of: mark) == nil)
        }
    }
}
