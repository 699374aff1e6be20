import Foundation
import PrefectJSON
import Testing
import WorkerMetrics

@testable import KubernetesBackend

@Suite("The examples that scale workers")
struct ScalingExampleTests {
    private static let directory = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples/scaling")

    private func text(_ name: String) throws -> String {
        try String(contentsOf: Self.directory.appending(path: name), encoding: .utf8)
    }

    private func document(_ name: String) throws -> JSONValue { try YAMLDocument.parse(text(name)) }

    @Test(
        "each example is YAML of its kind",
        arguments: [
            ("keda.yaml", "keda.sh/v1alpha1", "ScaledObject"),
            ("hpa.yaml", "autoscaling/v2", "HorizontalPodAutoscaler"),
            ("deployment-patch.yaml", "apps/v1", "Deployment"),
        ])
    func kinds(name: String, version: String, kind: String) throws {
        let document = try document(name)
        #expect(document["apiVersion"]?.stringValue == version)
        #expect(document["kind"]?.stringValue == kind)
        #expect(document["metadata"]?["name"]?.stringValue == "prefect-worker")
    }

    @Test("queries name only metrics and labels of the worker, and both ways of scaling use the same demand")
    func metrics() throws {
        let known = Set(MetricDescription.worker.map(\.name))
        let query = try #require(
            document("keda.yaml")["spec"]?["triggers"]?.arrayValue?.first?["metadata"]?["query"]?.stringValue)
        let rule = try #require(document("prometheus-adapter.yaml")["rules"]?["external"]?.arrayValue?.first)
        let demand = try #require(rule["metricsQuery"]?.stringValue)
        for text in [query, demand, try #require(rule["seriesQuery"]?.stringValue)] {
            let names = text.matches(of: /prefect_worker_[a-z_]+/).map { String($0.output) }
            #expect(!names.isEmpty && Set(names).isSubset(of: known), "\(names)")
        }
        #expect(query.replacing(#"pool="my-pool""#, with: "<<.LabelMatchers>>") == demand)
        let name = try #require(rule["name"]?["as"]?.stringValue)
        let scaler = try document("hpa.yaml")
        let metric = scaler["spec"]?["metrics"]?.arrayValue?.first?["external"]?["metric"]
        #expect(metric?["name"]?.stringValue == name)
        for word in try text("README.md").matches(of: /prefect_worker_[a-z_]+/) {
            #expect(known.contains(String(word.output)), "\(word.output)")
        }
    }
}
