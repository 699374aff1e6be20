internal import PrefectJSON

/// One request in the form that a route receives.
struct Call {
    let method: String
    /// The path below the base, without the query.
    let path: String
    let query: [String: String]
    let body: JSONValue
    /// The values of the placeholders in the route's path, in order.
    var arguments: [String] = []

    /// A member of the body; `nil` when it is absent or `null`.
    subscript(member: String) -> JSONValue? {
        guard let value = body[member], !value.isNull else { return nil }
        return value
    }

    /// A required string.
    func string(_ member: String) throws(Refusal) -> String {
        guard let value = self[member] else { throw .invalid([member], "is missing", body) }
        guard let string = value.stringValue else { throw .invalid([member], "should be a string", body) }
        return string
    }

    /// An object, or `nil` when it is absent.
    func object(_ member: String) throws(Refusal) -> JSONValue? {
        guard let value = self[member] else { return nil }
        guard value.objectValue != nil else { throw .invalid([member], "should be an object", body) }
        return value
    }

    func strings(_ member: String) throws(Refusal) -> [String] {
        guard let value = self[member] else { return [] }
        guard let elements = value.arrayValue else { throw .invalid([member], "should be a list", body) }
        return elements.compactMap(\.stringValue)
    }

    func time(_ member: String) throws(Refusal) -> WireTime? {
        guard let value = self[member] else { return nil }
        guard let time = value.stringValue.flatMap(WireTime.init(parsing:)) else {
            throw .invalid([member], "should be a time", body)
        }
        return time
    }

    /// The requested number of objects, which has an upper bound on every server.
    func limit(atMost most: Int) throws(Refusal) -> Int {
        guard let value = self["limit"] else { return most }
        guard let limit = value.intValue, limit >= 0 else { throw .invalid(["limit"], "should be a count", body) }
        guard limit <= most else {
            throw Refusal(status: 422, body: ["detail": .string("The limit is at most \(most).")])
        }
        return limit
    }
}

/// An answer that refuses the request.
struct Refusal: Error {
    let status: Int
    let body: JSONValue

    static func notFound(_ detail: String) -> Refusal { Refusal(status: 404, body: ["detail": .string(detail)]) }

    /// The 422 for a body that does not fit its schema.
    static func invalid(_ location: [String], _ problem: String, _ body: JSONValue) -> Refusal {
        let item: JSONValue = [
            "type": "value_error", "loc": .array([.string("body")] + location.map(JSONValue.string)),
            "msg": .string(problem), "input": body,
        ]
        return Refusal(
            status: 422,
            body: ["exception_message": "Invalid request received.", "exception_detail": [item], "request_body": body])
    }
}

/// An answer before it is serialised.
struct Reply {
    var status: Int
    var headers: [(String, String)] = []
    var body: String?

    static let noContent = Reply(status: 204)

    static func json(_ text: String, status: Int = 200) -> Reply {
        Reply(status: status, headers: [("content-type", "application/json")], body: text)
    }

    static func json(_ value: JSONValue, status: Int = 200) -> Reply { json(value.serialized(), status: status) }

    init(status: Int, headers: [(String, String)] = [], body: String? = nil) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    init(_ refusal: Refusal) { self = .json(refusal.body, status: refusal.status) }
}

/// A method, a path with `{}` segments that match anything (`{id}` only ids), and a handler.
struct Route {
    typealias Handler = @Sendable (inout World, Call) throws(Refusal) -> Reply

    let method: String
    let segments: [Substring]
    let handler: Handler

    init(_ method: String, _ path: String, _ handler: @escaping Handler) {
        self.method = method
        segments = path.split(separator: "/", omittingEmptySubsequences: false)
        self.handler = handler
    }

    func arguments(of path: [Substring]) -> [String]? {
        guard path.count == segments.count else { return nil }
        var arguments: [String] = []
        for (expected, found) in zip(segments, path) {
            switch expected {
            case "{}":
                guard !found.isEmpty else { return nil }
            case "{id}":
                guard isID(found) else { return nil }
            default:
                guard expected == found else { return nil }
                continue
            }
            arguments.append(expected == "{id}" ? found.lowercased() : found.percentDecoded)
        }
        return arguments
    }

    private func isID(_ text: Substring) -> Bool {
        text.utf8.count == 36
            && text.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20) || byte == UInt8(ascii: "-")
            }
    }
}

/// Finds the route of a request and runs it.
enum Router {
    static let routes =
        Route.workPools + Route.flows + Route.deployments + Route.flowRuns + Route.records + Route.server

    /// The answer, and whether the route exists.
    static func answer(_ call: Call, in world: inout World) -> (reply: Reply, isKnown: Bool) {
        let path = call.path.split(separator: "/", omittingEmptySubsequences: false)
        var pathIsKnown = false
        for route in routes {
            guard let arguments = route.arguments(of: path) else { continue }
            pathIsKnown = true
            guard route.method == call.method else { continue }
            var call = call
            call.arguments = arguments
            do throws(Refusal) {
                return (try route.handler(&world, call), true)
            } catch {
                return (Reply(error), true)
            }
        }
        if pathIsKnown { return (.json(["detail": "Method Not Allowed"], status: 405), false) }
        let toggled = call.path.hasSuffix("/") ? String(call.path.dropLast()) : call.path + "/"
        let other = toggled.split(separator: "/", omittingEmptySubsequences: false)
        if routes.contains(where: { $0.arguments(of: other) != nil }) {
            return (Reply(status: 307, headers: [("location", world.configuration.basePath + toggled)]), true)
        }
        return (.json(["detail": "Not Found"], status: 404), false)
    }
}

extension Substring {
    var percentDecoded: String {
        guard contains("%") else { return String(self) }
        var bytes: [UInt8] = []
        var rest = utf8[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), let value = UInt8(String(Substring(rest.prefix(2))), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
