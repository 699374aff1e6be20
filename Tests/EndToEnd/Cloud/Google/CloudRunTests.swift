import TestSupport
import Testing

@Suite("Flows in jobs of Cloud Run", .requires(.prefectServer), .googleCloud, .bounded)
struct CloudRunEndToEndTests {
    @Test("flows complete and fail, and a crash has the service's reason", arguments: ["cloud-run", "cloud-run-v2"])
    func ends(_ type: String) async throws { try await withGoogleBench(type) { try await $0.checkEnds() } }

    @Test("a run is cancelled while it waits and while it runs", arguments: ["cloud-run", "cloud-run-v2"])
    func cancellation(_ type: String) async throws {
        try await withGoogleBench(type) { try await $0.checkCancellation() }
    }

    @Test("failed requests and lost answers neither lose nor repeat a run", arguments: ["cloud-run", "cloud-run-v2"])
    func faults(_ type: String) async throws {
        try await withGoogleBench(type, project: type == "cloud-run" ? GoogleBench.projectNumber : nil) {
            try await $0.checkFaults()
        }
    }

    @Test("a service that is away for a while loses no run and no report", arguments: ["cloud-run", "cloud-run-v2"])
    func outage(_ type: String) async throws { try await withGoogleBench(type) { try await $0.checkOutage() } }

    @Test("a worker that is killed at random times runs each run once", arguments: ["cloud-run", "cloud-run-v2"])
    func kills(_ type: String) async throws { try await withGoogleBench(type) { try await $0.checkKills() } }

    @Test("two workers on one pool share its runs", arguments: ["cloud-run", "cloud-run-v2"])
    func workers(_ type: String) async throws { try await withGoogleBench(type) { try await $0.checkTwoWorkers() } }

    @Test("the Python worker and this one stop each other's jobs", .peers, arguments: ["cloud-run-v2"])
    func peers(_ type: String) async throws { try await GoogleBench.checkPeers(type) }
}
