import TestSupport
import Testing

/// Faults of the stand-in for AWS concern all of its clients, so the suite of ECS itself checks the conformance of `ecs`.
@Suite("Conformance of the backends for clouds", .requires(.docker), .bounded)
struct CloudConformanceTests {
    @Test("the backend for Azure Container Instances conforms with a stand-in of Azure", .azure)
    func containerInstances() async throws {
        try await Conformance.expect(AzureBench.type, image: "busybox:lab", timeout: .seconds(400))
    }

    @Test(
        "the backends for Google Cloud conform with its stand-in", .googleCloud,
        arguments: ["cloud-run", "cloud-run-v2", "vertex-ai"])
    func google(_ type: String) async throws {
        try await Conformance.expect(type, image: "busybox:lab", timeout: .seconds(400))
    }
}
