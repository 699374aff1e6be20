import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Texts of API errors")
struct ExplanationTests {
    private static let remedy = "PREFECT_API_URL must be the address of a Prefect API, which usually ends in /api"

    @Test(
        "each kind of refusal has its own sentence, with the API's reason and the remedy",
        arguments: [
            (401, ["detail": "Invalid key"], "the API does not accept the credentials (401: Invalid key); check"),
            (403, ["detail": "Forbidden"], "the API forbids this (403: Forbidden); check the role of the API key"),
            (403, ["detail": "'Prefect' is reserved"], "(403: 'Prefect' is reserved); choose another name"),
            (404, ["detail": "Work pool \"p\" not found."], "not found (404: Work pool \"p\" not found.)"),
            (404, ["detail": "Not Found"], "the server has no such route (404); \(remedy)"),
            (405, ["detail": "Method Not Allowed"], "the server has no such route (405); \(remedy)"),
            (409, ["detail": "Taken"], "this exists already, or has changed meanwhile (409: Taken)"),
            (
                422,
                [
                    "exception_message": "Invalid request received.",
                    "exception_detail": [
                        ["loc": ["body", "name"], "msg": "no pattern"],
                        ["loc": ["query", "limit"], "msg": "too many"],
                    ],
                ],
                "the API does not accept these values (422: name: no pattern; query.limit: too many)"
            ),
            (422, ["detail": [["msg": "alone"]]], "the API does not accept these values (422: alone)"),
            (418, [:], "the API answered 418"),
        ] as [(Int, JSONValue, String)])
    func sentences(status: Int, body: JSONValue, expected: String) async throws {
        try await withFakePrefectAPI { api in
            api.script(answer: .status(status, body: body))
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.readWorkPool(named: "p", effort: .once) }
                let text = try #require(error?.description)
                #expect(text.hasPrefix("GET /work_pools/p: ") && text.contains(expected), "\(text)")
                #expect(error?.isPermanent == (expected.hasPrefix("not found") ? false : true))
                #expect(error?.isNotFound == (status == 404))
            }
        }
    }

    @Test("a web page instead of an API answer is a transient error, and a persistent request is repeated")
    func page() async throws {
        try await withFakePrefectAPI { api in
            api.addPool(name: "p")
            let page = "HTTP/1.1 404 Not Found\r\ncontent-type: text/html\r\ncontent-length: 6\r\n\r\n<html>"
            api.script(times: 2, answer: .raw(Array(page.utf8)))
            try await withClient(of: api.url) { client, _ in
                let error = await apiError { _ = try await client.readWorkPool(named: "p", effort: .once) }
                #expect(error?.detail == "the answer is not Prefect's (404, no JSON); \(Self.remedy)")
                #expect(error?.isNotFound == false && error?.isTransient == true && error?.isPermanent == false)
                let pool = try await client.readWorkPool(named: "p", effort: .persistent)
                #expect(pool.name == "p")
            }
            #expect(api.requests("GET", "/work_pools/p").count == 3)
        }
    }
}
