import Foundation
import OrderedCollections
import PrefectJSON

/// A request as the stub got it.
struct SentRequest: Sendable {
    var method: String
    var path: String
    var query: String
    /// By names in lower case.
    var headers: [String: String]
    var body: JSONValue?
}

/// Compares requests and results with the recorded ones.
enum VectorJudge {
    private static let unordered: Set = ["tags", "exclude_keys", "expect", "after", "for_each"]

    /// Deliberate differences: members of bodies by the ids of vectors.
    static let exceptions: [String: Set<String>] = [
        // The route knows no such filter.
        "read_flows/all-filters": ["/work_queues"],
        // A server accepts at most 50 events, and Prefect's client asks for 100.
        "read_events/unset": ["/limit"],
    ]

    /// Members of a body that may differ.
    static func exceptions(of vector: Vector, body: JSONValue) -> Set<String> {
        // Prefect's client sends the text `None` where no description was given.
        if vector.member == "create_deployment", body["description"] == "None",
            vector.arguments.members["description"]?.isNull ?? true
        {
            return ["/description"]
        }
        return exceptions[vector.id] ?? []
    }

    /// The problems of the requests of a call.
    static func problems(_ vector: Vector, _ sent: [SentRequest]) -> [String] {
        var found: [String] = []
        if sent.count != vector.requests.count { found.append("\(sent.count) requests, not \(vector.requests.count)") }
        for (index, pair) in zip(sent, vector.requests).enumerated() {
            found += compare(index, pair.0, pair.1, vector).map { "request \(index): \($0)" }
        }
        return found
    }

    private static func compare(_ index: Int, _ sent: SentRequest, _ want: JSONValue, _ vector: Vector) -> [String] {
        var found: [String] = []
        let method = want["method"]?.stringValue ?? ""
        let path = want["path"]?.stringValue ?? ""
        let query = want["query"]?.stringValue ?? ""
        if sent.method != method { found.append("\(sent.method), not \(method)") }
        if decoded(sent.path) != decoded(path) { found.append("path \(sent.path), not \(path)") }
        // The id of the client in the request for a token is new each time.
        if path != "/csrf-token", !vector.volatile.contains(where: { $0.hasPrefix("/requests/\(index)/query") }),
            pairs(sent.query) != pairs(query)
        {
            found.append("query \(sent.query), not \(query)")
        }
        if let body = want["body"] {
            let prefix = "/requests/\(index)/body"
            let volatile = vector.volatile.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            let excepted = exceptions(of: vector, body: body)
            found += differences(sent.body ?? .null, body, want["body_minimal"] ?? body, Set(volatile))
                .filter { !excepted.contains(String($0.path)) }.map { "body\($0.path): \($0.problem)" }
            if !(sent.headers["content-type"] ?? "").contains("json") { found.append("content-type is not JSON") }
        } else if sent.body != nil {
            found.append("a body where there should be none")
        }
        for (name, value) in want["headers"]?.objectValue ?? [:]
        where name != "content-type" && name != "prefect-csrf-client" && sent.headers[name] != value.stringValue {
            found.append("header \(name): \(sent.headers[name] ?? "none"), not \(value.stringValue ?? "")")
        }
        return found
    }

    struct Difference {
        var path: String
        var problem: String
    }

    /// `got` must have every member of `minimal`, none beyond `full`, and equal values.
    static func differences(
        _ got: JSONValue, _ full: JSONValue, _ minimal: JSONValue, _ volatile: Set<String>, _ path: String = ""
    ) -> [Difference] {
        if volatile.contains(path) {
            return got.typeName == full.typeName ? [] : [Difference(path: path, problem: "another type")]
        }
        if case .object(let wanted) = full, case .object(let members) = got {
            let low = minimal.objectValue ?? [:]
            var found = members.keys.filter { wanted[$0] == nil }
                .map { Difference(path: "\(path)/\($0)", problem: "not in the recorded request") }
            for (key, value) in wanted {
                if let member = members[key] {
                    found += differences(member, value, low[key] ?? value, volatile, "\(path)/\(key)")
                } else if low[key] != nil {
                    found.append(Difference(path: "\(path)/\(key)", problem: "missing"))
                }
            }
            return found
        }
        if case .array(let wanted) = full, case .array(let elements) = got {
            guard elements.count == wanted.count else {
                return [Difference(path: path, problem: "\(elements.count) elements, not \(wanted.count)")]
            }
            let words = elements.compactMap(\.stringValue)
            let wantedWords = wanted.compactMap(\.stringValue)
            if unordered.contains(String(path.split(separator: "/").last ?? "")),
                words.count == elements.count, wantedWords.count == wanted.count
            {
                return words.sorted() == wantedWords.sorted() ? [] : [Difference(path: path, problem: "other words")]
            }
            let low = minimal.arrayValue.flatMap { $0.count == wanted.count ? $0 : nil } ?? wanted
            return elements.indices.flatMap { index in
                differences(elements[index], wanted[index], low[index], volatile, "\(path)/\(index)")
            }
        }
        return isSame(got, full)
            ? [] : [Difference(path: path, problem: "\(got.serialized()), not \(full.serialized())")]
    }

    /// Whether two simple values have the same meaning: numbers by value, times as instants.
    static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
        if let left = left.doubleValue, let right = right.doubleValue { return left == right }
        if let first = left.stringValue, let second = right.stringValue, first.count > 18, second.count > 18,
            let first = Timestamp(first), let second = Timestamp(second)
        {
            return first == second
        }
        return left == right
    }

    /// Whether a result has the same meaning as the recorded one, as far as the answer has its members.
    static func resultProblems(
        _ got: JSONValue, _ want: JSONValue, in answer: JSONValue?, _ path: String = ""
    ) -> [String] {
        switch (got, want) {
        case (.object(let members), .object(let wanted)):
            return wanted.flatMap { key, value -> [String] in
                if let answer, case .object(let there) = answer, there[key] == nil { return [] }
                guard let member = members[key] else { return ["\(path)/\(key): missing"] }
                return resultProblems(member, value, in: answer?[key], "\(path)/\(key)")
            }
        case (.array(let elements), .array(let wanted)):
            guard elements.count == wanted.count else {
                return ["\(path): \(elements.count) elements, not \(wanted.count)"]
            }
            let words = elements.compactMap(\.stringValue).sorted()
            if unordered.contains(String(path.split(separator: "/").last ?? "")), words.count == elements.count {
                return words == wanted.compactMap(\.stringValue).sorted() ? [] : ["\(path): other words"]
            }
            return elements.indices.flatMap { index in
                resultProblems(elements[index], wanted[index], in: answer?[index], "\(path)/\(index)")
            }
        default:
            return isSame(got, want) ? [] : ["\(path): \(got.serialized()), not \(want.serialized())"]
        }
    }

    private static func decoded(_ text: String) -> String { text.removingPercentEncoding ?? text }

    private static func pairs(_ query: String) -> [String] {
        query.split(separator: "&").map { decoded(String($0).replacing("+", with: " ")) }
            .filter { !$0.hasSuffix("=") && $0.contains("=") }.sorted()
    }
}
