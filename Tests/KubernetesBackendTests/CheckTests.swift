import BackendKit
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("Checks of a cluster")
struct CheckTests {
    @Test(
        "a check covers the namespaces of a pool's template and deployments, and reports each missing permission"
    )
    func namespaces() async throws {
        try await withWorkbench { bench in
            bench.api.forbid("create jobs in team-b", "get pods/log in default")
            let pool = try poolJobs(
                in: "jobs", [["namespace": "team-a"], ["namespace": "team-b", "env": ["A": "b"]], [:]])
            let report = await bench.backend.check([pool])
            let wrong = report.findings.filter { !$0.isGood }.map(\.detail)
            #expect(
                wrong == [
                    "the worker may not create jobs in the namespace 'team-b', which deployment 'd1' names: no run can be "
                        + "started there; give its service account a role that allows it"
                ])
            let asked = bench.api.requests("POST", "/selfsubjectaccessreviews").compactMap {
                $0.body["spec"]?["resourceAttributes"]?["namespace"]?.stringValue
            }
            #expect(Set(asked) == ["jobs", "team-a", "team-b"])
            let good = report.findings.filter { $0.subject == "permissions" }.map(\.detail)
            #expect(good.count == 2)
            #expect(good.contains { $0.contains("'jobs', which the template of work pool 'p' names") })
        }
    }

    @Test("a check reports that the worker may not delete the pods of a stopped run")
    func deletionOfPods() async throws {
        try await withWorkbench { bench in
            bench.api.forbid("delete pods")
            let wrong = await bench.backend.check().findings.filter { !$0.isGood }.map(\.detail)
            #expect(wrong.count == 1 && wrong[0].contains("may not delete pods"), "\(wrong)")
        }
    }

    @Test("a check reports a pool whose deployments cannot be read")
    func unreadableDeployments() async throws {
        try await withWorkbench { bench in
            let report = await bench.backend.check([try poolJobs(in: "jobs", [], fails: CancellationError())])
            #expect(report.findings.contains { !$0.isGood && $0.detail.contains("work pool 'p'") })
        }
    }

    @Test("a check names the missing verbs, and reports credentials that the cluster does not know")
    func check() async throws {
        try await withWorkbench { bench in
            let good = await bench.backend.check()
            #expect(good.isUsable)
            #expect(good.findings.contains { $0.detail.contains("v1.99.0") })
            #expect(good.findings.contains { $0.detail.contains("all ") })
            bench.api.forbid("get pods/log", "list events", "watch pods", "list pods")
            let report = await bench.backend.check()
            #expect(!report.isUsable)
            #expect(report.findings.allSatisfy { $0.isGood || $0.isPartial })
            let details = report.findings.map(\.detail)
            #expect(details.contains { $0.contains("may not get pods/log in the namespace 'default'") })
            #expect(details.contains { $0.contains("may not list events") })
            #expect(details.contains { $0.contains("may not list, watch pods") })
            #expect(report.findings.count { !$0.isGood } == 3)
            bench.api.accept(tokens: ["another"])
            let expired = await bench.backend.check()
            #expect(!expired.isUsable)
            #expect(expired.findings.first?.detail.contains("does not accept the worker's credentials") == true)
            #expect(bench.backend.unavailableReason != nil)
        }
    }
}
