import AzureAccess
import BackendKit
import HTTPTransport
import PrefectJSON
import PrefectREST
import Testing

@testable import ContainerInstancesBackend

@Suite("The client of the Resource Manager", .timeLimit(.minutes(1)))
struct ResourceManagerTests {
    private func read(_ azure: FakeAzure) async throws -> JSONValue {
        try await azure.resourceManager().send(
            .get, "/subscriptions/sub/thing", version: "1", operation: "read the thing"
        ).json()
    }

    @Test("a refused token is replaced once")
    func refusedToken() async throws {
        let azure = try FakeAzure { request in
            guard request.path.hasSuffix("thing") else { return nil }
            guard request.header("Authorization") == "Bearer token-2" else {
                return .error("401 Unauthorized", "ExpiredAuthenticationToken", "expired")
            }
            return .init(body: ["ok": true])
        }
        #expect(try await read(azure)["ok"] == true)
        #expect(azure.calls == ["GET sub/thing", "GET sub/thing"])
    }

    @Test("throttled requests are repeated after the pause that Azure requests")
    func throttled() async throws {
        let azure = try FakeAzure { $0.path.hasSuffix("thing") ? .init(body: ["ok": true]) : nil }
        for _ in 0..<2 {
            azure.fail(
                "thing", .init(status: "429 Too Many Requests", headers: ["Retry-After: 7"]))
        }
        #expect(try await read(azure)["ok"] == true)
        #expect(azure.calls.count == 3)
    }

    @Test("a listing is read with all of its pages, and no token goes to another host")
    func pages() async throws {
        let azure = try FakeAzure()
        azure.change { state in
            state.pageSize = 2
            for number in 0..<5 { state.groups["g\(number)"] = FakeAzure.group("g\(number)", "Running") }
        }
        #expect(try await azure.client().groups(in: FakeAzure.place).map(\.name) == ["g0", "g1", "g2", "g3", "g4"])
        let foreign = try FakeAzure { request in
            guard request.path.hasSuffix("containerGroups") else { return nil }
            return .init(body: ["value": [], "nextLink": "https://evil.example/next"])
        }
        let error = await failure { try await foreign.client().groups(in: FakeAzure.place) }
        #expect("\(try #require(error))".contains("another host"))
    }

    @Test("the innermost error counts, also one within the text of another")
    func innerErrors() {
        let nested: JSONValue = [
            "code": "DeploymentFailed", "message": "At least one resource operation failed.",
            "details": [
                [
                    "code": "Conflict",
                    "message": #"{"error": {"code": "ContainerGroupQuotaReached", "message": "Quota 'X' exceeded."}}"#,
                ]
            ],
        ]
        let fault = ResourceFault(nested)
        #expect(fault?.code == "ContainerGroupQuotaReached")
        #expect(fault?.message == "Quota 'X' exceeded")
        #expect(fault?.codes.last == "DeploymentFailed")
    }

    @Test(
        "a failure says what it means and what to do",
        arguments: [
            (
                "403 Forbidden", "AuthorizationFailed",
                "The client 'x' does not have authorization to perform action 'Microsoft.ContainerInstance/containerGroups/read' over scope 's'.",
                RemoteTaskError.Kind.refused, "'Microsoft.ContainerInstance/containerGroups/read'"
            ),
            ("404 Not Found", "SubscriptionNotFound", "no", .refused, "subscription_id"),
            ("400 Bad Request", "InvalidResourceName", "bad name", .refused, "InvalidResourceName"),
            ("409 Conflict", "ContainerGroupQuotaReached", "quota", .full, "ContainerGroupQuotaReached"),
            ("409 Conflict", "InvalidResourceLocation", "exists elsewhere", .refused, "InvalidResourceLocation"),
            ("409 Conflict", "ServiceUnavailable", "not available in westeurope", .full, "no room"),
        ])
    func meaning(
        _ status: String, _ code: String, _ message: String, _ kind: RemoteTaskError.Kind, _ part: String
    ) async throws {
        let azure = try FakeAzure { $0.path.contains("containerGroups") ? .error(status, code, message) : nil }
        let client = try azure.client()
        let error = await failure {
            try await client.translating(in: FakeAzure.place, isCreation: true) {
                try await client.group("g", in: FakeAzure.place)
            }
        }
        let found = try #require(error as? RemoteTaskError)
        #expect(found.kind == kind && found.message.contains(part) && !found.message.contains("\n"), "\(found)")
    }
}
