import BackendKit
import HTTPTransport
import OrderedCollections
import PrefectJSON
import PrefectREST
import Testing

@testable import KubernetesBackend

@Suite("Diagnoses")
struct DiagnosisTests {
    private func waiting(_ reason: String, _ message: String = "m") -> PodSnapshot {
        ProgressTests.pod("Pending", state: ["waiting": ["reason": .string(reason), "message": .string(message)]])
    }

    private func unschedulable(_ message: String) -> PodSnapshot {
        ProgressTests.pod(
            "Pending",
            status: [
                "conditions": [["type": "PodScheduled", "reason": "Unschedulable", "message": .string(message)]],
                "containerStatuses": [],
            ])
    }

    @Test("a diagnosis has the category that the Python observer gives it")
    func categories() {
        let expected: [(PodSnapshot, Diagnosis.Category)] = [
            (waiting("ImagePullBackOff"), .imagePull), (waiting("ErrImagePull"), .imagePull),
            (waiting("CrashLoopBackOff"), .crashLoop),
            (ProgressTests.pod("Failed", state: ProgressTests.ended(137, "OOMKilled")), .outOfMemory),
            (ProgressTests.pod("Failed", state: ProgressTests.ended(137, "Evicted")), .evicted),
            (ProgressTests.pod("Failed", status: ["reason": "Evicted"]), .evicted),
            (unschedulable("0/3 nodes are available: 3 Insufficient cpu."), .insufficientResources),
            (
                unschedulable("0/3 nodes are available: 1 node(s) had untolerated taint {a: b}, 2 Insufficient cpu."),
                .taint
            ),
            (
                unschedulable("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."),
                .nodeAffinity
            ),
            (
                unschedulable("0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints."),
                .unschedulable
            ),
            (unschedulable(""), .unschedulable),
        ]
        for (pod, category) in expected {
            let diagnosis = Diagnosis(pod)
            #expect(diagnosis?.category == category)
            #expect(diagnosis?.line.contains("\n") == false)
            #expect(diagnosis?.remedy.isEmpty == false)
        }
        #expect(Diagnosis(ProgressTests.pod("Running", state: ["running": [:]])) == nil)
        #expect(Diagnosis(ProgressTests.pod("Failed", state: ProgressTests.ended(1))) == nil)
        // A problem that the Python observer does not know has no category, because its events do not contain it.
        let config = Diagnosis(waiting("CreateContainerConfigError", "secret \"x\" not found"))
        #expect(config != nil && config?.category == nil)
        #expect(Diagnosis(waiting("ContainerCreating")) == nil)
    }

    @Test(
        "a diagnosis quotes the message of a failed container for any reason",
        arguments: [
            (127, "ContainerCannotRun", "could not be started (ContainerCannotRun)"),
            (128, "StartError", "could not be started (StartError)"),
            (3, "Error", "ended with exit code 3 (Error)"), (3, "", "ended with exit code 3"),
        ])
    func containerMessage(_ code: Int, _ reason: String, _ summary: String) throws {
        let message = #"exec: "nope": executable file not found in $PATH"#
        let ended = ProgressTests.ended(code, reason, message: message)
        let line = try #require(Diagnosis(ProgressTests.pod("Failed", state: ended))?.line)
        #expect(line.contains("\(summary): \(message). "))
        #expect(line.contains("Container '"))
        let success = ProgressTests.ended(0, "Completed", message: "done")
        #expect(Diagnosis(ProgressTests.pod("Succeeded", state: success)) == nil)
    }

    @Test("a diagnosis changes only with its reasons, not with their numbers of nodes")
    func sameness() {
        let first = Diagnosis(unschedulable("0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory."))
        let second = Diagnosis(unschedulable("0/4 nodes are available: 3 Insufficient memory, 1 Insufficient cpu."))
        let third = Diagnosis(unschedulable("0/4 nodes are available: 4 Insufficient memory."))
        #expect(first?.key == second?.key)
        #expect(first?.key != third?.key)
    }

    private func fact(_ reason: String, _ message: String, time: String = "1", type: String = "Warning") -> EventFact {
        guard
            let fact = EventFact([
                "reason": .string(reason), "message": .string(message), "type": .string(type),
                "lastTimestamp": .string(time),
            ])
        else { preconditionFailure("the test's own event") }
        return fact
    }

    @Test("the events of a job without a pod give a diagnosis")
    func events() {
        let quota = fact("FailedCreate", "pods \"x\" is forbidden: exceeded quota: small, requested: pods=1")
        #expect(Diagnosis(events: [quota])?.line.contains("quota") == true)
        let account = fact(
            "FailedCreate",
            "pods \"x\" is forbidden: error looking up service account n/ghost: serviceaccount \"ghost\" not found")
        #expect(Diagnosis(events: [account])?.remedy.contains("service_account_name") == true)
        let newer = fact("FailedMount", "no such volume", time: "2")
        #expect(Diagnosis(events: [quota, newer])?.detail == "no such volume")
        #expect(Diagnosis(events: [fact("Scheduled", "ok", type: "Normal")]) == nil)
        #expect(Diagnosis(events: []) == nil)
    }

    private static let access = ClusterAccess(
        server: "https://c", tls: .init(), proxyURL: nil, credentials: .none, namespace: "default",
        origin: "context 'x' of f")

    @Test(
        "the message of a refusal names the problem or a remedy",
        arguments: [
            (401, "Unauthorized", "", "renew those of the context 'x'"),
            (
                403, "Forbidden", "jobs.batch is forbidden: User \"w\" cannot create resource",
                "may not create jobs in the namespace 'n'"
            ),
            (403, "Forbidden", "exceeded quota: q", "quota of the namespace 'n' is exceeded"),
            (
                403, "Forbidden", "unable to create new content in namespace n because it is being terminated",
                "being deleted"
            ),
            (404, "NotFound", "namespaces \"n\" not found", "the namespace 'n' does not exist"),
            (422, "Invalid", "bad", "refuses the request (422): bad"),
            (500, "InternalError", "no", "at the moment (500)"),
        ])
    func refusals(status: Int, reason: String, message: String, expected: String) {
        let body: JSONValue = ["kind": "Status", "reason": .string(reason), "message": .string(message)]
        let error = KubernetesError(
            RESTAnswer(operation: "POST x", head: HTTPResponse.Head(status: status), body: body.serializedBytes()))
        let said = Refusal.error(error, doing: "Unable", verb: "create jobs", namespace: "n", access: Self.access)
        #expect(said.message.contains(expected), "\(said.message)")
        #expect(said.kind == (status >= 500 ? .unavailable : .refused))
    }
}

@Suite("Pod events")
struct PodEventTests {
    @Test("pod events have the ids that the Python observer gives them")
    func ids() {
        let pending = PodEvent(ProgressTests.pod("Pending", uid: "0b1e"), diagnosis: nil)
        #expect(pending.id == "292b5c40-d58d-59ed-bc31-1ad10ff46e39")
        let pod = ProgressTests.pod(
            "Failed", uid: "8b8a2c9e-7f0b-4a37-9c1e-0f4d0a5a7b11",
            status: [
                "containerStatuses": [
                    ["name": "prefect-job", "restartCount": 2, "state": ProgressTests.ended(137, "OOMKilled")]
                ]
            ])
        let failed = PodEvent(pod, diagnosis: Diagnosis(pod))
        #expect(failed.names.map(\.name) == ["evicted", "failed"].map { "prefect.kubernetes.pod.\($0)" })
        #expect(failed.names.first?.id == "97512ec8-0141-51c1-aae8-b18c372b65b1")
        #expect(Set(failed.names.map(\.id)).count == 2)
        #expect(failed.resource["kubernetes.diagnosis"] == "OOMKilled")
        #expect(failed.resource["kubernetes.reason"] == "OOMKilled")
        #expect(failed.resource["prefect.resource.id"] == "prefect.kubernetes.pod.8b8a2c9e-7f0b-4a37-9c1e-0f4d0a5a7b11")
    }

    @Test("pod events have the times that Kubernetes reports")
    func times() {
        #expect(PodEvent(ProgressTests.pod("Pending"), diagnosis: nil).occurred == Timestamp("2026-01-01T00:00:00Z"))
        let running = ProgressTests.pod("Running", state: ["running": ["startedAt": "2026-01-01T00:00:05Z"]])
        #expect(PodEvent(running, diagnosis: nil).occurred == Timestamp("2026-01-01T00:00:05Z"))
        let ended = ProgressTests.pod(
            "Succeeded", state: ["terminated": ["exitCode": 0, "finishedAt": "2026-01-01T00:00:09Z"]])
        #expect(PodEvent(ended, diagnosis: nil).occurred == Timestamp("2026-01-01T00:00:09Z"))
        let evicted = ProgressTests.pod("Failed", status: ["reason": "Evicted"])
        let names = PodEvent(evicted, diagnosis: nil).names
        #expect(names.map(\.name) == ["failed", "evicted"].map { "prefect.kubernetes.pod.\($0)" })
        #expect(names.map(\.id) == PodEvent(evicted, diagnosis: nil).names.map(\.id))
    }

    @Test("the name of a job is determined by its manifest and its claim")
    func names() {
        let manifest: JSONValue = ["metadata": ["generateName": "otter-"]]
        let name = JobName.name(in: manifest, claimID: "c1")
        #expect(name == JobName.name(in: manifest, claimID: "c1"))
        #expect(name != JobName.name(in: manifest, claimID: "c2"))
        #expect(name.hasPrefix("otter-") && name.hasSuffix(JobName.suffix(claimID: "c1")))
        let long: JSONValue = ["metadata": ["generateName": .string(String(repeating: "x", count: 80) + "-")]]
        #expect(JobName.name(in: long, claimID: "c1").count == 63)
        #expect(JobName.name(in: ["metadata": ["name": "own"]], claimID: "c1") == "own")
        for (prefix, expected) in [("My Run!-", "my-run-"), ("-a-", "a-"), ("---", "prefect-job-"), ("a.b-", "a.b-")] {
            let name = JobName.name(in: ["metadata": ["generateName": .string(prefix)]], claimID: "c1")
            #expect(name == expected + JobName.suffix(claimID: "c1"))
        }
        #expect(throws: (any Error).self) { try JobReference(.init(rawValue: "4711")) }
        #expect(throws: (any Error).self) { try JobReference(.init(rawValue: "a:b:c")) }
    }
}
