import TestSupport
import Testing

@Suite("Flows in custom jobs of Vertex AI", .requires(.prefectServer), .googleCloud, .bounded)
struct VertexAIEndToEndTests {
    @Test("flows complete and fail, and a crash has the service's reason")
    func ends() async throws { try await withGoogleBench("vertex-ai") { try await $0.checkEnds() } }

    @Test("a run is cancelled while it waits and while it runs")
    func cancellation() async throws { try await withGoogleBench("vertex-ai") { try await $0.checkCancellation() } }

    @Test("failed requests and lost answers neither lose nor repeat a run")
    func faults() async throws { try await withGoogleBench("vertex-ai") { try await $0.checkFaults() } }

    @Test("a worker that is killed at random times runs each run once")
    func kills() async throws { try await withGoogleBench("vertex-ai") { try await $0.checkKills() } }

    @Test("two workers on one pool share its runs")
    func workers() async throws { try await withGoogleBench("vertex-ai") { try await $0.checkTwoWorkers() } }

    @Test("a service that is away for a while loses no run and no report")
    func outage() async throws { try await withGoogleBench("vertex-ai") { try await $0.checkOutage() } }

    @Test("the Python worker and this one stop each other's jobs", .peers)
    func peers() async throws { try await GoogleBench.checkPeers("vertex-ai") }
}
