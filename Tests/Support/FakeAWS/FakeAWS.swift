internal import OrderedCollections
public import PrefectJSON
internal import Synchronization
internal import TransportPeers

/// A server that answers requests to services of AWS as a test decides, and records them.
public final class FakeAWS: Sendable {
    /// A request.
    public struct Call: Sendable {
        public let method: String
        /// Path and query.
        public let target: String
        /// The service in the signature's scope; empty for an unsigned request.
        public let service: String
        /// The region in the signature's scope.
        public let region: String
        /// The public part of the keys that signed the request.
        public let key: String
        /// The operation; empty for a request that is no call of a service.
        public let operation: String
        /// The parameters in JSON, or the fields of a form.
        public let parameters: JSONValue
        /// The headers, with their names in lower case.
        public let headers: [String: String]

        /// The request as the goldens write it.
        public var golden: JSONValue {
            ["service": .string(service), "operation": .string(operation), "parameters": parameters]
        }
    }

    /// An answer.
    public enum Answer: Sendable {
        case json(JSONValue)
        case text(String)
        case status(Int, String = "")
        /// A refusal of a service.
        case refusal(String, String, status: Int = 400)
        /// The connection ends without an answer.
        case lost
    }

    private final class Records: Sendable {
        let calls = Mutex<[Call]>([])
    }

    private let server: ScriptedServer
    private let records: Records

    /// Starts the server.
    public init(_ answer: @escaping @Sendable (Call) -> Answer) throws {
        let records = Records()
        self.records = records
        server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                let call = Call(request)
                records.calls.withLock { $0.append(call) }
                switch answer(call) {
                case .json(let json):
                    connection.answer(headers: ["Content-Type: application/json"], body: json.serialized())
                case .text(let text): connection.answer(body: text)
                case .status(let status, let text): connection.answer("\(status) Status", body: text)
                case .refusal(let code, let message, let status):
                    let isForm = call.headers["content-type"]?.contains("form") ?? false
                    let json: JSONValue = ["__type": .string("com.amazon#\(code)"), "message": .string(message)]
                    let xml = "<R><Errors><Error><Code>\(code)</Code><Message>\(message)</Message></Error></Errors></R>"
                    connection.answer("\(status) Status", body: isForm ? xml : json.serialized())
                case .lost: return
                }
            }
        }
    }

    deinit { server.stop() }

    /// The server's URL.
    public var url: String { server.url }
    /// All requests in their order.
    public var calls: [Call] { records.calls.withLock { $0 } }
    /// The operations of the requests in their order.
    public var operations: [String] { calls.map(\.operation) }
}

extension FakeAWS.Call {
    fileprivate init(_ request: ReceivedRequest) {
        method = request.method
        target = request.target
        var headers: [String: String] = [:]
        for line in request.lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        self.headers = headers
        let scope = (headers["authorization"] ?? "").split(separator: "Credential=").last?.prefix { $0 != "," } ?? ""
        let parts = scope.split(separator: "/").map(String.init)
        key = parts.count > 4 ? parts[0] : ""
        region = parts.count > 4 ? parts[2] : ""
        service = parts.count > 4 ? parts[3] : ""
        if let target = headers["x-amz-target"] {
            operation = String(target.split(separator: ".").last ?? "")
            parameters = (try? JSONValue(parsing: request.body)) ?? .null
        } else {
            let fields = Self.fields(of: String(decoding: request.body, as: UTF8.self))
            operation = fields["Action"] ?? ""
            parameters = Self.parameters(of: fields)
        }
    }

    private static func fields(of form: String) -> OrderedDictionary<String, String> {
        var fields: OrderedDictionary<String, String> = [:]
        for pair in form.split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { decoded($0) }
            if sides.count == 2 { fields[sides[0]] = sides[1] }
        }
        return fields
    }

    private static func decoded(_ text: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
            else {
                bytes.append(byte)
                continue
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The fields of a form as SDKs name them: `Filter.1.Name` and `VpcId.1` are in lists.
    private static func parameters(of fields: OrderedDictionary<String, String>) -> JSONValue {
        var parameters: JSONValue = [:]
        for (key, value) in fields where key != "Action" && key != "Version" {
            let parts = key.split(separator: ".").map(String.init)
            switch (parts.first, parts.count) {
            case ("VpcId", 2):
                parameters["VpcIds"] = .array((parameters["VpcIds"]?.arrayValue ?? []) + [.string(value)])
            case ("Filter", 3): parameters["Filters"] = [["Name": .string(value)]]
            case ("Filter", 4):
                var filter = parameters["Filters"]?[0] ?? [:]
                filter["Values"] = [.string(value)]
                parameters["Filters"] = .array([filter])
            default: parameters[key] = .string(value)
            }
        }
        return parameters
    }
}
