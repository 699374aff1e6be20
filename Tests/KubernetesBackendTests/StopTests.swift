import BackendKit
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Stopping of jobs")
struct StopTests {
    @Test("stopping deletes the job in the foreground with the grace period, and no other job of that name")
    func stop() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            try await job.stop(identifier, grace: .seconds(30), reason: .cancelled)
            let request = try #require(
                bench.api.requests("DELETE", "/jobs/\(identifier.rawValue.split(separator: ":")[1])").first)
            #expect(request.query["propagationPolicy"] == "Foreground")
            #expect(request.query["gracePeriodSeconds"] == "30")
            #expect(request.body["propagationPolicy"] == "Foreground")
            #expect(request.body["preconditions"]?["uid"] == identifier.handle["uid"])
            let error = await #expect(throws: InfrastructureError.self) {
                try await job.stop(identifier, grace: .seconds(1), reason: .cancelled)
            }
            #expect(error?.kind == .notFound)
        }
    }

    @Test("stopping deletes a pod without a started container immediately, and keeps a pod with a started container")
    func unbegun() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            bench.api.putPod(
                "never", ofJob: bench.jobName, phase: "Pending", state: ["waiting": ["reason": "ImagePullBackOff"]])
            bench.api.putPod("scheduling", ofJob: bench.jobName, phase: "Pending")
            bench.api.putPod("begun", ofJob: bench.jobName, phase: "Pending", state: ["running": [:]])
            let version = bench.api.object("pods", "never")?["metadata"]?["resourceVersion"]
            try await job.stop(identifier, grace: .seconds(30), reason: .cancelled)
            let request = try #require(bench.api.requests("DELETE", "/pods/never").first)
            #expect(request.body["gracePeriodSeconds"] == 0)
            #expect(request.body["preconditions"]?["resourceVersion"] == version)
            #expect(bench.api.names(of: "pods") == ["begun"])
        }
    }

    @Test("a pod that starts at the moment of its deletion keeps its grace period")
    func begunMeanwhile() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            bench.api.putPod("p", ofJob: bench.jobName, phase: "Pending")
            bench.api.fail(RequestPattern(method: "DELETE", path: "*/pods/p"), .answer(409, reason: "Conflict"))
            bench.api.fail(RequestPattern(method: "DELETE", path: "*/pods/p"), .drop, times: nil)
            try await job.stop(identifier, grace: .seconds(30), reason: .cancelled)
            #expect(bench.api.requests("DELETE", "/pods/p").count == 1)
        }
    }

    @Test("the job of a cancelled flow that ends by itself is not deleted")
    func cooperation() async throws {
        try await withWorkbench { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            bench.api.putPod("p", ofJob: bench.jobName, phase: "Running", state: ["running": [:]])
            async let stopped: Void = job.stop(identifier, grace: .seconds(30), reason: .cancelled)
            try await bench.api.waitUntil("the job is requested") {
                $0.requests("GET", "/jobs/\(bench.jobName)").count >= 2
            }
            bench.api.finishJob(bench.jobName, "Complete")
            try await stopped
            #expect(bench.api.requests("DELETE", "/jobs/\(bench.jobName)").isEmpty)
        }
    }
}
