import FoundationEssentials
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

/// Sends the same requests to a fake and to a real server, and compares the answers.
///
/// Ids differ between the two servers. So requests name objects as `<name>`, and these names replace the ids in the
/// answers before the comparison.
final class Comparison {
    private struct Side {
        let client: PrefectServerClient
        var ids: [String: String] = [:]
    }

    /// Members that differ between two runs of the same requests.
    private static let volatile: Set<String> = [
        "estimated_run_time", "estimated_start_time_delta", "total_run_time", "description", "last_polled",
    ]

    let mark: String
    private var fake: Side
    private var real: Side
    /// The paths of the objects that are deleted from the real server at the end.
    private var cleanUp: [String] = []

    init(fake api: FakePrefectAPI) throws {
        fake = Side(client: try PrefectServerClient(url: api.url))
        real = Side(client: try PrefectServerClient.fromEnvironment())
        mark = "ts-" + UUID().uuidString.lowercased().prefix(8)
    }

    /// Sends a request to both servers, and records an issue if the answers differ.
    ///
    /// - Parameters:
    ///   - method: The method.
    ///   - path: The path, with `<name>` for an id and `<mark>` for the prefix of all names.
    ///   - body: The body, as JSON text with the same placeholders.
    ///   - name: The name of the answer's object in later requests.
    ///   - comparing: The only members whose values must be the same; `nil` means all members.
    /// - Returns: The status of the real server's answer.
    @discardableResult
    func send(
        _ method: String, _ path: String, _ body: String? = nil, as name: String? = nil, comparing: [String]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> Int {
        let fakeAnswer = try await send(&fake, method, path, body, as: name)
        let realAnswer = try await send(&real, method, path, body, as: name)
        #expect(fakeAnswer.status == realAnswer.status, "\(method) \(path)", sourceLocation: sourceLocation)
        var (left, right) = (normalized(fakeAnswer.body, fake), normalized(realAnswer.body, real))
        if let comparing {
            left = .array(comparing.map { left[$0] ?? .null })
            right = .array(comparing.map { right[$0] ?? .null })
        } else if realAnswer.status >= 400 {
            // The fake has its own texts of errors, in the same members as the server.
            left = .array((left.objectValue?.keys.sorted() ?? []).map(JSONValue.string))
            right = .array((right.objectValue?.keys.sorted() ?? []).map(JSONValue.string))
        }
        if !left.isEquivalent(to: right) {
            let difference = Self.differences(left, right, at: "").joined(separator: "\n")
            Issue.record("\(method) \(path) is answered differently:\n\(difference)", sourceLocation: sourceLocation)
        }
        if let name, realAnswer.status < 300 {
            let kind = path.split(separator: "/").first.map(String.init) ?? ""
            if ["flows", "deployments"].contains(kind), path.hasSuffix("/") {
                cleanUp.append("/\(kind)/\(real.ids[name] ?? "")")
            }
            if kind == "work_pools", path == "/work_pools/" { cleanUp.append("/work_pools/\(mark)-\(name)") }
        }
        return realAnswer.status
    }

    /// Proposes a state to both servers and compares the whole answers. Without `comparingReason`, only `state` and
    /// `status` are compared.
    func propose(
        _ state: String, for run: String, force: Bool = false, comparingReason: Bool = true,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        try await send(
            "POST", "/flow_runs/<\(run)>/set_state", #"{"state":\#(state),"force":\#(force)}"#,
            comparing: comparingReason ? nil : ["state", "status"], sourceLocation: sourceLocation)
    }

    /// Deletes the objects that were created on the real server.
    func end() async throws {
        for path in cleanUp.reversed() { _ = try await real.client.send("DELETE", path) }
    }

    private func send(_ side: inout Side, _ method: String, _ path: String, _ body: String?, as name: String?)
        async throws -> HTTPAnswer
    {
        let body = try body.map { try JSONValue(parsing: filled($0, side)) }
        let answer = try await side.client.send(method, filled(path, side), body)
        if let name {
            let object = answer.body.arrayValue?.first ?? answer.body
            side.ids[name] = object["id"]?.stringValue
        }
        return answer
    }

    private func filled(_ text: String, _ side: Side) -> String {
        var text = text.replacing("<mark>", with: mark)
        for (name, id) in side.ids { text = text.replacing("<\(name)>", with: id) }
        return text
    }

    private func normalized(_ value: JSONValue, _ side: Side) -> JSONValue {
        switch value {
        case .object(let members):
            return .object(
                OrderedDictionary(
                    uniqueKeysWithValues: members.filter { !Self.volatile.contains($0.key) }
                        .map { ($0.key, normalized($0.key == "tags" ? $0.value.sorted : $0.value, side)) }))
        case .array(let elements): return .array(elements.map { normalized($0, side) })
        case .string(let text):
            var text = text
            for (name, id) in side.ids { text = text.replacing(id, with: "<\(name)>") }
            if UUID(uuidString: text) != nil { return "<id>" }
            if text.utf8.count > 18, text.hasPrefix("20"), text.contains("T"), text.hasSuffix("Z") { return "<time>" }
            return .string(text)
        default: return value
        }
    }

    private static func differences(_ left: JSONValue, _ right: JSONValue, at path: String) -> [String] {
        if case .object(let first) = left, case .object(let second) = right {
            let keys = Array(first.keys) + second.keys.filter { first[$0] == nil }
            return keys.flatMap { key -> [String] in
                guard let one = first[key] else { return ["\(path).\(key) is missing from the fake"] }
                guard let other = second[key] else { return ["\(path).\(key) is only in the fake"] }
                return differences(one, other, at: "\(path).\(key)")
            }
        }
        if case .array(let first) = left, case .array(let second) = right, first.count == second.count {
            return zip(first, second).enumerated().flatMap { differences($1.0, $1.1, at: "\(path)[\($0)]") }
        }
        return left.isEquivalent(to: right)
            ? [] : ["\(path): the fake says \(left.serialized()), the server \(right.serialized())"]
    }
}

extension JSONValue {
    // The order of tags has no meaning.
    fileprivate var sorted: JSONValue {
        arrayValue.map { .array($0.sorted { ($0.stringValue ?? "") < ($1.stringValue ?? "") }) } ?? self
    }
}

/// Runs `body` with a comparison, and deletes the objects on the real server afterwards.
func withComparison(_ body: (Comparison) async throws -> Void) async throws {
    try await withFakePrefectAPI { api in
        let comparison = try Comparison(fake: api)
        do {
            try await body(comparison)
        } catch {
            try await comparison.end()
            throw error
        }
        try await comparison.end()
    }
}
