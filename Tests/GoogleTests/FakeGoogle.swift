import BackendKit
import CryptoExtras
import Foundation
import GoogleAccess
import PrefectJSON
import Synchronization
import TransportPeers

/// A server that answers in the place of Google's services, and records the requests.
final class FakeGoogle: Sendable {
    /// A request as received.
    struct Request: Sendable {
        let method: String
        /// The path with its query.
        let target: String
        let body: String
        let authorization: String?
        let json: JSONValue

        /// The fields of a form.
        var form: [String: String] {
            var components = URLComponents()
            components.percentEncodedQuery = body
            return Dictionary(
                (components.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        }

        /// A parameter of the query.
        func parameter(_ name: String) -> String? {
            URLComponents(string: target)?.queryItems?.first { $0.name == name }?.value
        }

        var path: String { String(target.split(separator: "?").first ?? "") }
    }

    /// The answer to a request; the connection breaks without one.
    enum Answer: Sendable {
        case json(JSONValue)
        case text(String)
        case status(Int, JSONValue)
        case broken
    }

    private let server: ScriptedServer
    private let received = Mutex<[Request]>([])

    init(_ answer: @escaping @Sendable (Request) -> Answer) throws {
        let handler = Mutex<(@Sendable (Request) -> Answer)?>(nil)
        server = try ScriptedServer { connection in
            while let request = connection.readRequest() {
                let body = String(decoding: request.body, as: UTF8.self)
                let parsed = Request(
                    method: request.method, target: request.target, body: body,
                    authorization: request.value("Authorization"),
                    json: (try? JSONValue(parsing: request.body)) ?? .null)
                switch handler.withLock({ $0 })?(parsed) ?? .broken {
                case .json(let json): connection.answer(body: json.serialized())
                case .text(let text): connection.answer(body: text)
                case .status(let status, let json):
                    connection.answer("\(status) Status", body: json.serialized())
                case .broken: return connection.reset()
                }
            }
        }
        handler.withLock { handler in
            handler = { [weak self] request in
                self?.received.withLock { $0.append(request) }
                return answer(request)
            }
        }
    }

    var url: String { server.url }
    var address: String { "127.0.0.1:\(server.port)" }
    var requests: [Request] { received.withLock { $0 } }

    func requests(_ method: String, _ part: String) -> [Request] {
        requests.filter { $0.method == method && $0.target.contains(part) }
    }

    /// Ends the server.
    func stop() { server.stop() }
}

/// A service account whose key is made for the tests.
enum TestAccount {
    static let key = try? _RSA.Signing.PrivateKey(keySize: .bits2048)

    /// The key file.
    static func file(tokenURL: String) -> JSONValue {
        [
            "type": "service_account", "project_id": "a-project", "private_key_id": "k1",
            "private_key": .string(key?.pkcs8PEMRepresentation ?? ""),
            "client_email": "worker@a-project.iam.gserviceaccount.com", "token_uri": .string(tokenURL),
        ]
    }
}

/// A directory of a test.
func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
    let directory = FileManager.default.temporaryDirectory.appending(path: "google-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    return try await body(directory)
}
