import FoundationEssentials
import HTTPTransport
import PrefectJSON
import PrefectREST
import Testing

@Suite("Failures of requests")
struct RequestFailureTests {
    private func answer(_ status: Int, headers: HTTPHeaders = [:], body: String = "") -> RESTAnswer {
        RESTAnswer(
            operation: "GET /x", head: HTTPResponse.Head(status: status, headers: headers), body: Array(body.utf8))
    }

    private func transport(_ kind: TransportError.Kind, sent: Bool = false) -> TransportError {
        TransportError(kind: kind, operation: "GET http://h/x", cause: "no luck", requestMayHaveBeenSent: sent)
    }

    @Test(
        "a status decides about another attempt and about an effect",
        arguments: [
            (400, false, false), (401, false, false), (404, false, false), (408, true, false), (409, false, false),
            (429, true, false), (500, true, true), (503, true, true), (504, true, true),
        ])
    func statuses(status: Int, isTransient: Bool, mayHaveBeenApplied: Bool) {
        let failure = RequestFailure(
            answer(status, body: "why"), reason: ServiceReason(of: answer(status, body: "why")))
        #expect(failure.status == status && failure.kind == .status(status))
        #expect(failure.isTransient == isTransient)
        #expect(failure.mayHaveBeenApplied == mayHaveBeenApplied)
        #expect(failure.isNotFound == (status == 404) && failure.isConflict == (status == 409))
        #expect(failure.description == "GET /x: why")
    }

    @Test("the service's reason overrides the rule of the status")
    func throttled() {
        let reason = ServiceReason(code: "ThrottlingException", message: "slow down", isTransient: true)
        let failure = RequestFailure(answer(400), reason: reason)
        #expect(failure.isTransient && failure.reason.code == "ThrottlingException")
        #expect(!RequestFailure(answer(500), reason: ServiceReason(message: "", isTransient: false)).isTransient)
    }

    @Test("the cause of the transport decides about another attempt")
    func transports() {
        for kind in TransportError.Kind.allCases {
            let failure = RequestFailure(transport(kind, sent: true), operation: "op")
            #expect(failure.isTransient == ![.invalidRequest, .tooLarge, .shutDown, .cancelled].contains(kind))
            #expect(failure.mayHaveBeenApplied && failure.status == nil && failure.transportError?.kind == kind)
            #expect(failure.description == "op: no luck")
        }
        #expect(!RequestFailure(transport(.couldNotConnect), operation: "op").mayHaveBeenApplied)
        #expect(RequestFailure.error(for: transport(.cancelled), operation: "op") is CancellationError)
        #expect(RequestFailure.error(for: transport(.tls), operation: "op") is RequestFailure)
    }

    @Test("a message is one line of limited length, and names the status when there is no text")
    func messages() {
        let long = RequestFailure(.reported, operation: "op", message: String(repeating: "a\n", count: 3000))
        #expect(long.message.count == 1001 && !long.description.contains("\n"))
        #expect(!long.isTransient && !long.mayHaveBeenApplied)
        #expect(ServiceReason(of: answer(502, body: " \n")).message == "the answer is 502")
        #expect(ServiceReason(text: "  ", of: answer(500, body: "body")).message == "the answer is 500")
        #expect(ServiceReason(of: answer(500, body: "body"), limit: 2).message == "bo")
    }

    @Test("Retry-After precedes the pause in the body")
    func retryAfter() {
        let reason = ServiceReason(message: "", retryAfter: .seconds(3))
        #expect(RequestFailure(answer(429), reason: reason).retryAfter == .seconds(3))
        #expect(RequestFailure(answer(429, headers: ["retry-after": "7"]), reason: reason).retryAfter == .seconds(7))
    }

    @Test("Retry-After is read as seconds and as a date, and anything else is ignored")
    func retryAfterHeader() throws {
        let now = try #require(Timestamp("2026-01-02T03:04:05Z")?.date)
        #expect(RetryAfter.parse("5", now: now) == .seconds(5))
        #expect(RetryAfter.parse(" 0.5 ", now: now) == .seconds(0.5))
        #expect(RetryAfter.parse("-3", now: now) == .zero)
        #expect(RetryAfter.parse("Fri, 02 Jan 2026 03:04:15 GMT", now: now) == .seconds(10))
        #expect(RetryAfter.parse("Thu, 01 Jan 1970 00:00:00 GMT", now: now) == .zero)
        for text in [
            "", "soon", "nan", "inf", "0x10", "Fri, 32 Jan 2026 03:04:15 GMT", "Fri, 02 Foo 2026 03:04:15 GMT",
        ] {
            #expect(RetryAfter.parse(text, now: now) == nil, "\(text)")
        }
    }

    @Test("an answer that is not as expected is malformed, and may have been applied")
    func malformed() throws {
        #expect(try answer(200).json() == .null)
        #expect(try answer(200, body: "[1]").json() == [1])
        let failure = #expect(throws: RequestFailure.self) { try answer(200, body: "<html>").json() }
        #expect(failure?.kind == .malformed && failure?.mayHaveBeenApplied == true && failure?.isTransient == false)
        let shape = #expect(throws: RequestFailure.self) { try answer(200, body: "[]").decode(as: Named.self) }
        #expect(shape?.message.hasPrefix("the answer is not as expected: ") == true)
        #expect(try answer(200, body: #"{"name": "n"}"#).decode(as: Named.self).name == "n")
    }

    private struct Named: JSONDecodable {
        let name: String

        init(json: JSONFields) throws(JSONDecodingError) { name = try json.string("name") }
    }
}
