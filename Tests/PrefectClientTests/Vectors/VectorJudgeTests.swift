import OrderedCollections
import PrefectJSON
import Testing

/// The judge accepts every recorded request in both forms, and finds each change of one.
@Suite struct VectorJudgeTests {
    private func sent(_ vector: Vector, _ key: String) -> [SentRequest] {
        vector.requests.map { request in
            var headers = ["content-type": "application/json"]
            for (name, value) in request["headers"]?.objectValue ?? [:] { headers[name] = value.stringValue }
            return SentRequest(
                method: request["method"]?.stringValue ?? "", path: request["path"]?.stringValue ?? "",
                query: request["query"]?.stringValue ?? "", headers: headers, body: request[key] ?? request["body"])
        }
    }

    @Test func recordedRequestsPass() {
        for vector in Vector.all {
            #expect(VectorJudge.problems(vector, sent(vector, "body")) == [], "\(vector.id)")
            #expect(VectorJudge.problems(vector, sent(vector, "body_minimal")) == [], "\(vector.id)")
        }
    }

    @Test func surplusAndMissingMembersAreFound() {
        for vector in Vector.all {
            for (index, request) in vector.requests.enumerated() {
                var changed = sent(vector, "body")
                changed[index].path += "x"
                #expect(VectorJudge.problems(vector, changed) != [], "\(vector.id): path")
                guard let body = request["body"]?.objectValue, !body.isEmpty else { continue }
                changed = sent(vector, "body")
                changed[index].body?["surplus"] = 1
                #expect(VectorJudge.problems(vector, changed) != [], "\(vector.id): surplus")
                let exceptions = VectorJudge.exceptions(of: vector, body: .object(body))
                for key in (request["body_minimal"]?.objectValue ?? body).keys
                where !vector.volatile.contains("/requests/\(index)/body/\(key)") && !exceptions.contains("/\(key)") {
                    changed = sent(vector, "body")
                    changed[index].body?[key] = nil
                    #expect(VectorJudge.problems(vector, changed) != [], "\(vector.id): \(key)")
                }
            }
        }
    }
}
