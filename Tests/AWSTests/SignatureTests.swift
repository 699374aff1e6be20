import HTTPTransport
import PrefectJSON
import PrefectREST
import Testing

@testable import AWSAccess

@Suite("Signature Version 4")
struct SignatureTests {
    private static let keys = AWSCredentials(
        accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")

    /// One of the cases that AWS has published.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var method = "GET"
        var query: [(String, String)] = []
        var headers: [(String, String)] = []
        var body = ""
        let signature: String

        var testDescription: String { name }
    }

    private static let cases = [
        Case(name: "get-vanilla", signature: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        Case(
            name: "get-vanilla-query-order-key-case", query: [("Param2", "value2"), ("Param1", "value1")],
            signature: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        Case(
            name: "post-vanilla", method: "POST",
            signature: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        Case(
            name: "post-header-key-sort", method: "POST", headers: [("My-Header1", "value1")],
            signature: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        Case(
            name: "post-x-www-form-urlencoded", method: "POST",
            headers: [("Content-Type", "application/x-www-form-urlencoded")], body: "Param1=value1",
            signature: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
    ]

    @Test("the published cases have their signatures", arguments: cases)
    func published(example: Case) {
        let signature = SignatureV4(
            credentials: Self.keys, region: "us-east-1", service: "service", time: "20150830T123600Z")
        let headers = [("Host", "example.amazonaws.com"), ("X-Amz-Date", "20150830T123600Z")] + example.headers
        let authorization = signature.authorization(
            method: example.method, path: "/", query: example.query.map { (name: $0.0, value: $0.1) },
            headers: headers.map { (name: $0.0, value: $0.1) }, body: Array(example.body.utf8))
        #expect(authorization.hasSuffix("Signature=\(example.signature)"), "\(authorization)")
        let scope = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"
        #expect(authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=\(scope), SignedHeaders="))
    }

    @Test("the header Host in the signature is the one that the transport sends")
    func hosts() {
        #expect(AWSSigner.host(of: "https://ecs.eu-west-1.amazonaws.com") == "ecs.eu-west-1.amazonaws.com")
        #expect(AWSSigner.host(of: "https://Example.com:443/x") == "example.com")
        #expect(AWSSigner.host(of: "http://127.0.0.1:4566") == "127.0.0.1:4566")
        #expect(AWSSigner.host(of: "http://localhost:80/") == "localhost")
        #expect(AWSSigner.host(of: "http://[::1]:99") == "[::1]:99")
    }

    @Test("a signed request names its time and the token of temporary keys")
    func signs() async throws {
        let keys = AWSCredentials(accessKeyID: "A", secretAccessKey: "s", sessionToken: "t")
        let signer = AWSSigner(
            credentials: CredentialSource { CredentialReading(keys, origin: "a test") }, region: "r", service: "ecs",
            now: { Timestamp("2026-02-03T04:05:06.789Z") ?? .now })
        var request = RESTRequest(.post, "/", body: .json([:]))
        try await signer.sign(&request, for: "https://ecs.r.amazonaws.com")
        #expect(request.headers["X-Amz-Date"] == "20260203T040506Z")
        #expect(request.headers["X-Amz-Security-Token"] == "t")
        #expect(
            request.headers["Authorization"]?.contains("SignedHeaders=host;x-amz-date;x-amz-security-token") == true)
    }
}
