import CloudRunBackend
import Testing

extension CloudGoldens {
    @Test(
        "cloud-run-v2: configuration, requests and identifier", arguments: try CloudGolden.all(ofType: "cloud-run-v2"))
    func cloudRunV2(_ golden: CloudGolden) async throws {
        try await GoogleGolden(golden: golden, backend: CloudRunV2Backend.self).check()
    }
}
