import HTTPTransport
import OrderedCollections
import PrefectClient
import PrefectJSON
import Testing

/// Every member against what Prefect's own client sent and returned.
@Suite struct ClientVectors {
    @Test func fileHasVectors() { #expect(!Vector.all.isEmpty) }

    @Test func tableHasEveryMember() {
        let gaps = Vector.all.filter {
            VectorTable.calls[$0.member] == nil && !VectorTable.membersOfPython.contains($0.member)
        }
        #expect(Set(gaps.map(\.member)).sorted() == [])
    }

    @Test(arguments: Vector.all.filter { VectorTable.calls[$0.member] != nil })
    func vector(_ vector: Vector) async throws {
        let call = try #require(VectorTable.calls[vector.member])
        let stub = try VectorStub(vector)
        defer { stub.stop() }
        try await withVectorClient(of: vector, url: stub.url) { client in
            let outcome: Result<VectorResult, any Error>
            do {
                outcome = .success(try await call(client, vector.arguments))
            } catch {
                outcome = .failure(error)
            }
            for problem in VectorJudge.problems(vector, stub.sent) + Self.problems(outcome, vector) {
                Issue.record("\(vector.id): \(problem)")
            }
        }
    }

    /// The problems of a result or an error.
    private static func problems(_ outcome: Result<VectorResult, any Error>, _ vector: Vector) -> [String] {
        switch outcome {
        case .success(let result):
            if let error = vector.json["error"] { return ["no error, where \(error["class"]?.serialized() ?? "") was"] }
            return problems(result, vector.json["result"] ?? .null, answer: vector.responses.last?["body"])
        case .failure(let error):
            guard let want = vector.json["error"] else { return ["an error: \(error)"] }
            // A refusal before any request.
            if vector.requests.isEmpty { return [] }
            if error is ServerVersionError, want["class"] == "RuntimeError" { return [] }
            guard let error = error as? APIError else { return ["another error: \(error)"] }
            switch want["class"]?.stringValue {
            case "ObjectNotFound": return error.isNotFound ? [] : ["not 'not found': \(error)"]
            case "ObjectAlreadyExists": return error.isConflict ? [] : ["no conflict: \(error)"]
            default:
                guard let status = want["status"]?.intValue else { return [] }
                return error.status == status ? [] : ["status \(error.status ?? 0), not \(status)"]
            }
        }
    }

    private static func problems(_ result: VectorResult, _ want: JSONValue, answer: JSONValue?) -> [String] {
        let value = want["value"] ?? want["body"] ?? .null
        switch (want["kind"]?.stringValue, result) {
        case ("none", .nothing): return []
        // Our members return the values of an answer, or nothing, where Python returns the answer.
        case ("response", .nothing): return []
        // The error itself is the result, and its text is Python's.
        case ("exception_value", .value): return []
        case ("exception_value", .nothing): return ["no error as the result"]
        case (_, .nothing): return value.isNull ? [] : ["nothing, not \(value.serialized())"]
        case ("none", .value(let got)): return ["\(got.serialized()), not nothing"]
        case ("scalar", .value(let got)), ("response", .value(let got)):
            return VectorJudge.resultProblems(got, value, in: nil).map { "result\($0)" }
        case (_, .value(let got)):
            // A member may return one element of a list.
            let element = answer?.arrayValue?.first { value["id"] != nil && $0["id"] == value["id"] }
            return VectorJudge.resultProblems(got, value, in: element ?? answer).map { "result\($0)" }
        }
    }
}

/// Runs `body` with a client as the real one was set up for a vector.
private func withVectorClient(
    of vector: Vector, url: String, _ body: (APIClient) async throws -> Void
) async throws {
    let retryable = [408, 418, 429, 502, 503]
    let last = vector.responses.last?["status"]?.intValue ?? 200
    let own: Set = ["content-type", "authorization", "user-agent", "prefect-csrf-token", "prefect-csrf-client"]
    let headers = vector.requests.first?["headers"]?.objectValue ?? [:]
    try await withClient(
        of: url,
        configure: { configuration in
            configuration.isCloud = vector.isOfCloud
            configuration.csrfEnabled = !configuration.isCloud
            configuration.authorization = headers["authorization"]?.stringValue.map { Secret($0) }
            configuration.customHeaders = headers.filter { !own.contains($0.key) }
                .map { (name: $0.key, value: $0.value.stringValue ?? "") }
            configuration.retryPolicy = RetryPolicy(
                maxRetries: retryable.contains(last) ? vector.requests.count - 1 : 5, jitterFactor: 0,
                extraCodes: [418])
        }
    ) { client, _ in try await body(client) }
}
