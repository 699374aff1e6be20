import BackendKit
import OrderedCollections
import PrefectJSON
import PrefectREST
import Testing

@testable import KubernetesBackend

@Suite("Watching jobs")
struct ProgressTests {
    static func job(
        _ ending: JSONValue = [], uid: String = "u1", name: String = "j", deleted: JSONValue = nil
    ) -> JobSnapshot {
        guard
            let job = JobSnapshot([
                "metadata": [
                    "name": .string(name), "namespace": "n", "uid": .string(uid), "deletionTimestamp": deleted,
                ],
                "status": ["conditions": ending],
            ])
        else { preconditionFailure("the test's own job") }
        return job
    }

    static let complete: JSONValue = [["type": "Complete", "status": "True"]]
    static let failed: JSONValue = [
        ["type": "FailureTarget", "status": "True"],
        ["type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"],
    ]

    static func pod(
        _ phase: String, uid: String = "p1", state: JSONValue = [:], created: String = "2026-01-01T00:00:00Z",
        job: String = "u1", status: JSONValue = [:]
    ) -> PodSnapshot {
        var merged = status
        merged["phase"] = .string(phase)
        merged["containerStatuses"] = merged["containerStatuses"] ?? [["name": "prefect-job", "state": state]]
        guard
            let pod = PodSnapshot([
                "metadata": [
                    "name": .string("pod-\(uid)"), "namespace": "n", "uid": .string(uid),
                    "creationTimestamp": .string(created),
                    "ownerReferences": [["kind": "Job", "name": "j", "uid": .string(job)]],
                ],
                "status": merged,
            ])
        else { preconditionFailure("the test's own pod") }
        return pod
    }

    static func ended(_ code: Int, _ reason: String = "Error", message: String = "") -> JSONValue {
        ["terminated": ["exitCode": .int(code), "reason": .string(reason), "message": .string(message)]]
    }

    @Test("a failed job ends the run with the exit code of its last pod, after its pods have been requested")
    func failure() {
        var progress = JobProgress(uid: "u1")
        #expect(progress.handle(.status(Self.job())) == [])
        let first = Self.pod("Failed", state: Self.ended(3))
        #expect(progress.handle(.event(.pod(first))) == [.report(first)])
        #expect(progress.handle(.event(.pod(first))) == [])
        #expect(progress.handle(.end(Self.job(Self.failed))) == [.readPods])
        #expect(!progress.isOver)
        let second = Self.pod("Failed", uid: "p2", state: Self.ended(7), created: "2026-01-01T00:01:00Z")
        #expect(progress.handle(pods: [first, second]) == [.report(second)])
        #expect(progress.isOver)
        let exit = progress.exit(jobName: "j", lastOutput: "words")
        #expect(exit == ExitStatus(code: 7, lastOutput: "words"))
    }

    @Test("a job that is being deleted ends with its last pod, even before the cluster removes the job")
    func draining() {
        let deleted = Self.job(deleted: "2026-01-01T00:00:00Z")
        let running = Self.pod("Running", state: ["running": [:]])
        let ended = Self.pod("Failed", state: Self.ended(143))
        var progress = JobProgress(uid: "u1")
        // A job without a pod may still get one whose creation is in progress.
        #expect(progress.handle(.status(deleted)) == [])
        _ = progress.handle(.event(.pod(running)))
        #expect(progress.handle(.status(deleted)) == [])
        #expect(progress.handle(.event(.pod(ended))) == [.report(ended), .readPods])
        #expect(progress.handle(pods: [running]) == [.report(running)])
        #expect(!progress.isOver)
        #expect(progress.handle(.event(.podDeleted(ended))) == [.report(ended), .readPods])
        #expect(progress.handle(pods: []) == [])
        #expect(progress.isOver && progress.end == .gone)
        #expect(progress.exit(jobName: "j", lastOutput: nil).code == 143)
        // A job that is not being deleted creates another pod.
        var other = JobProgress(uid: "u1")
        _ = other.handle(.status(Self.job()))
        #expect(other.handle(.event(.pod(ended))) == [.report(ended)])
    }

    @Test("a job that has failed for another reason than its flow has a reason and no exit code")
    func failureWithoutCode() {
        var progress = JobProgress(uid: nil)
        _ = progress.handle(.end(Self.job(Self.failed)))
        _ = progress.handle(pods: [])
        #expect(progress.exit(jobName: "j", lastOutput: nil).code == nil)
        #expect(progress.exit(jobName: "j", lastOutput: nil).reason == "The Kubernetes job failed: too often.")
        var evicted = JobProgress(uid: nil)
        _ = evicted.handle(.end(Self.job(Self.failed)))
        _ = evicted.handle(pods: [
            Self.pod("Failed", state: Self.ended(0), status: ["reason": "Evicted", "message": "low on memory"])
        ])
        #expect(evicted.exit(jobName: "j", lastOutput: nil).code == nil)
        #expect(evicted.exit(jobName: "j", lastOutput: nil).reason?.contains("low on memory") == true)
    }

    @Test("a deletion that the API server confirms ends the run with the last of its pods")
    func deletion() {
        var progress = JobProgress(uid: "u1")
        #expect(progress.handle(.status(Self.job())) == [])
        #expect(progress.handle(.event(.due)) == [])
        #expect(progress.end == nil)
        #expect(progress.handle(.end(nil)) == [.readPods])
        #expect(progress.end == .gone)
        // The pod of the job ends later, and its exit code belongs to the end of the run.
        _ = progress.handle(pods: [Self.pod("Running", state: ["running": [:]])])
        #expect(!progress.isOver)
        #expect(progress.handle(.event(.due)) == [.readPods])
        _ = progress.handle(.event(.pod(Self.pod("Failed", state: Self.ended(143)))))
        #expect(progress.isOver)
        let exit = progress.exit(jobName: "j", lastOutput: nil)
        #expect(exit.code == 143)
        #expect(exit.reason?.contains("was deleted") == true)
    }

    @Test("another job of the same name means that the run's own job is gone")
    func replaced() {
        var progress = JobProgress(uid: "u1")
        #expect(progress.handle(.status(Self.job(uid: "u2"))) == [.readPods])
        #expect(progress.end == .gone)
        #expect(progress.handle(.event(.pod(Self.pod("Running", job: "u2")))) == [])
    }

    @Test("a job that has succeeded and is removed by its time to live is a success")
    func timeToLive() {
        var progress = JobProgress(uid: "u1")
        _ = progress.handle(.end(Self.job(Self.complete)))
        _ = progress.handle(.end(nil))
        _ = progress.handle(pods: [])
        #expect(progress.exit(jobName: "j", lastOutput: nil) == ExitStatus(code: 0))
        // Only the pod of this job has shown the success.
        var pod = JobProgress(uid: "u1")
        _ = pod.handle(.event(.pod(Self.pod("Succeeded", state: Self.ended(0, "Completed")))))
        _ = pod.handle(.end(nil))
        _ = pod.handle(pods: [])
        #expect(pod.isOver)
        #expect(pod.exit(jobName: "j", lastOutput: nil).code == 0)
    }

    private func error(_ kind: KubernetesError.Kind, retryAfter: Duration? = nil) -> KubernetesError {
        var error = KubernetesError(kind: kind, message: "", operation: "")
        error.retryAfter = retryAfter
        return error
    }

    @Test("a watch resumes at its last version, and starts with a list only when the version has expired")
    func resuming() {
        var progress = WatchProgress()
        #expect(progress.step == .list)
        progress.handle(.listed(version: "5"))
        #expect(progress.step == .watch(from: "5"))
        progress.handle(.progressed(version: "8"))
        progress.handle(.ended)
        #expect(progress.step == .watch(from: "8"))
        progress.handle(.failed(error(.unreachable)), jitter: 0.5)
        #expect(progress.step == .pause(.seconds(1)))
        progress.handle(.rested)
        #expect(progress.step == .watch(from: "8"))
        progress.handle(.progressed(version: "9"))
        progress.handle(.failed(error(.expired)))
        #expect(progress.step == .list)
        // A list that expires repeatedly is not started again immediately.
        progress.handle(.failed(error(.expired)), jitter: 0.5)
        #expect(progress.step == .pause(.seconds(2)))
    }

    @Test("failures lengthen the pauses up to half a minute, unless the API server requests a longer pause")
    func backingOff() {
        var progress = WatchProgress()
        var pauses: [Duration] = []
        for _ in 0..<7 {
            progress.handle(.failed(error(.overloaded)), jitter: 0.5)
            if case .pause(let pause) = progress.step { pauses.append(pause) }
            progress.handle(.rested)
        }
        #expect(pauses == [1, 2, 4, 8, 16, 30, 30].map { .seconds($0) })
        progress.handle(.failed(error(.overloaded, retryAfter: .seconds(90))), jitter: 0.5)
        #expect(progress.step == .pause(.seconds(90)))
        progress.handle(.rested)
        progress.handle(.listed(version: "1"))
        progress.handle(.failed(error(.overloaded)), jitter: 0.5)
        #expect(progress.step == .pause(.seconds(1)))
    }

    @Test("without permission to watch, jobs are listed; without permission to list, each run requests its own job")
    func forbidden() {
        var progress = WatchProgress()
        progress.handle(.listed(version: "1"))
        progress.handle(.failed(error(.forbidden)))
        #expect(progress.step == .pause(WatchProgress.pollInterval))
        progress.handle(.rested)
        #expect(progress.step == .list)
        progress.handle(.listed(version: "2"))
        #expect(progress.step == .pause(WatchProgress.pollInterval))
        progress.handle(.rested)
        progress.handle(.failed(error(.forbidden)))
        #expect(progress.step == .doWithoutList(WatchProgress.refusalInterval))
        progress.handle(.rested)
        #expect(progress.step == .list)
    }
}
