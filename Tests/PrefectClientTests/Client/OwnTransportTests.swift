import PrefectClient
import PrefectJSON
import Synchronization
import Testing

/// Answers with texts, one after the other.
private final class Answers: APITransport {
    struct Broken: Error {}

    private let rest: Mutex<[String?]>
    let requests = Mutex<[APITransportRequest]>([])

    init(_ answers: [String?]) {
        rest = Mutex(answers)
    }

    func send(_ request: APITransportRequest) async throws -> APITransportAnswer {
        requests.withLock { $0.append(request) }
        guard let answer = rest.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else { throw Broken() }
        return APITransportAnswer(
            status: 200, headers: [("Content-Type", "application/json")], body: Array(answer.utf8))
    }
}

@Suite struct OwnTransportTests {
    private func client(_ answers: Answers, cloud: Bool = false) throws -> APIClient {
        let url = cloud ? "https://api.prefect.cloud/api/accounts/a/workspaces/w" : "http://server/api"
        return try APIClient(
            configuration: APIClient.Configuration(
                url: url, apiKey: Secret("k"), customHeaders: [("X-Team", "data")], apiVersion: "0.8.1",
                retryPolicy: RetryPolicy(maxRetries: 1, jitterFactor: 0)),
            transport: answers)
    }

    @Test func sendsRequests() async throws {
        let answers = Answers([#""3.9.1""#])
        let version = try await client(answers).checkServerVersion()
        #expect(version?.text == "3.9.1" && version?.isOlder == false)
        let sent = answers.requests.withLock { $0 }
        #expect(sent.map(\.url) == ["http://server/api/admin/version"])
        let headers = Dictionary(sent[0].headers.map { ($0.name.lowercased(), $0.value) }) { $1 }
        #expect(headers["authorization"] == "Bearer k")
        #expect(headers["x-team"] == "data")
        #expect(headers["x-prefect-api-version"] == "0.8.1")
    }

    @Test func comparesVersions() async throws {
        #expect(try await client(Answers([#""3.1.0""#])).checkServerVersion()?.isOlder == true)
        #expect(try await client(Answers([]), cloud: true).checkServerVersion() == nil)
        await #expect(throws: ServerVersionError.self) {
            try await self.client(Answers([#""2.20.0""#])).checkServerVersion()
        }
    }

    @Test func errorsAreRetried() async throws {
        let answers = Answers([nil, #""3.8.8""#])
        #expect(try await client(answers).readAPIVersion() == "3.8.8")
    }
}
