import CloudRunBackend
import Testing

extension CloudGoldens {
    @Test("cloud-run: configuration, requests and identifier", arguments: try CloudGolden.all(ofType: "cloud-run"))
    func cloudRun(_ golden: CloudGolden) async throws {
        try await GoogleGolden(golden: golden, backend: CloudRunBackend.self).check()
    }
}
