import PrefectClient
import TestSupport
import Testing
import TransportPeers

@Suite struct APIErrorTests {
    private func error(_ status: String, _ body: String) async throws -> APIError? {
        let server = try ScriptedServer { connection in
            while connection.readRequest() != nil {
                connection.answer(status, headers: ["Content-Type: application/json"], body: body)
            }
        }
        defer { server.stop() }
        return try await withClient(of: server.url) { client, _ in
            await apiError { _ = try await client.request("POST", "/variables/", body: ["value": "hunter2"]) }
        }
    }

    @Test func statusesHaveProperties() async throws {
        #expect(try await error("404 N", #"{"detail":"Flow not found"}"#)?.isNotFound == true)
        #expect(try await error("409 C", #"{"detail":"exists"}"#)?.isConflict == true)
        #expect(try await error("423 L", #"{"detail":"full"}"#)?.isLocked == true)
        #expect(try await error("422 U", "{}")?.isUnprocessable == true)
        #expect(try await error("404 N", "{}")?.operation == "POST /variables/")
    }

    @Test(arguments: [
        #"{"exception_message":"Invalid request received.","exception_detail":[{"loc":["body","value"],"msg":"bad","input":"hunter2"}],"request_body":{"value":"hunter2"}}"#,
        #"{"exception_detail":[{"loc":["body"],"input":"hunter2","ctx":{"given":"hunter2"}}]}"#,
        #"{"detail":[{"type":"x","input":{"value":"hunter2"}}]}"#,
    ])
    func theBodyIsNotInTheText(answer: String) async throws {
        let error = try #require(try await error("422 U", answer))
        #expect(!"\(error)".contains("hunter2") && !error.detail.contains("hunter2"))
    }
}
