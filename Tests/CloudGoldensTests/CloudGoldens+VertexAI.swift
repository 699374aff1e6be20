import Testing
import VertexAIBackend

extension CloudGoldens {
    @Test("vertex-ai: configuration, requests and identifier", arguments: try CloudGolden.all(ofType: "vertex-ai"))
    func vertexAI(_ golden: CloudGolden) async throws {
        try await GoogleGolden(golden: golden, backend: VertexAIBackend.self).check()
    }
}
