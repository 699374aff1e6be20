import AzureAccess
import BackendKit
import Foundation
import HTTPTransport
import PrefectConcurrency
import PrefectJSON
import Synchronization
import Testing
import TransportPeers

@testable import ContainerInstancesBackend

/// Azure's token service and Resource Manager on a real socket: container groups and deployments with a small state, and
/// answers that a test scripts.
final class FakeAzure: Sendable {
    struct Request: Sendable {
        let method: String
        let path: String
        let query: [String: String]
        let body: String
        let received: ReceivedRequest

        var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }

        func header(_ name: String) -> String? { received.value(name) }

        /// The fields of a form.
        var form: [String: String] { FakeAzure.pairs(body) }

        /// Method and the last parts of the path.
        var short: String { "\(method) \(path.split(separator: "/").suffix(2).joined(separator: "/"))" }
    }

    struct Reply: Sendable {
        var status = "200 OK"
        var headers: [String] = []
        var body: JSONValue = .null

        static func error(_ status: String, _ code: String, _ message: String = "") -> Reply {
            Reply(status: status, body: ["error": ["code": .string(code), "message": .string(message)]])
        }
    }

    /// A fault of the next request that matches.
    struct Fault: Sendable {
        let match: String
        /// `nil` resets the connection.
        var reply: Reply?
        /// Whether the request has its effect all the same.
        var hasEffect = false
    }

    struct State: Sendable {
        var requests: [Request] = []
        var groups: [String: JSONValue] = [:]
        /// The states of deployments; an absent error is a success.
        var deployments: [String: (state: String, error: JSONValue?)] = [:]
        var faults: [Fault] = []
        /// How deployments end, in turn; after that, they succeed.
        var endings: [(state: String, error: JSONValue?)] = []
        /// The looks at a deployment before it ends.
        var looks = 0
        /// Whether listings contain the states of containers.
        var listsViews = true
        var pageSize = 1000
        var log = ""
        var tokens = 0
        var lifetime: JSONValue = 3599
        var starts = 0
        /// The looks at a group that is deleted until it is gone.
        var deletionLooks = 0
    }

    private let state = Mutex(State())
    private let server = Mutex<ScriptedServer?>(nil)
    private let extra: @Sendable (Request) -> Reply?

    /// A server.
    ///
    /// - Parameter extra: Answers a request before the server does.
    init(_ extra: @escaping @Sendable (Request) -> Reply? = { _ in nil }) throws {
        self.extra = extra
        let fake = Weak()
        let scripted = try ScriptedServer { connection in
            while let received = connection.readRequest() {
                guard let azure = fake.value.withLock({ $0.value }), azure.serve(received, connection) else { return }
            }
        }
        fake.value.withLock { $0.value = self }
        server.withLock { $0 = scripted }
    }

    private final class Weak: Sendable {
        struct Reference: Sendable { weak var value: FakeAzure? }
        let value = Mutex(Reference())
    }

    deinit { server.withLock { $0 }?.stop() }

    var url: String { server.withLock { $0 }?.url ?? "" }

    /// Changes the state, as the test needs it.
    func change(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }

    var current: State { state.withLock { $0 } }

    var requests: [Request] { state.withLock { $0.requests } }

    /// The requests to the Resource Manager, in short.
    var calls: [String] { requests.map(\.short).filter { !$0.hasSuffix("/token") } }

    func fail(_ match: String, _ reply: Reply?, hasEffect: Bool = false) {
        state.withLock { $0.faults.append(Fault(match: match, reply: reply, hasEffect: hasEffect)) }
    }

    static func pairs(_ text: String) -> [String: String] {
        var pairs: [String: String] = [:]
        for pair in text.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            pairs[parts[0]] = parts.count > 1 ? parts[1].removingPercentEncoding ?? "" : ""
        }
        return pairs
    }

    private func serve(_ received: ReceivedRequest, _ connection: Connection) -> Bool {
        let parts = received.target.split(separator: "?", maxSplits: 1).map(String.init)
        let request = Request(
            method: received.method, path: parts[0].removingPercentEncoding ?? parts[0],
            query: Self.pairs(parts.count > 1 ? parts[1] : ""), body: String(decoding: received.body, as: UTF8.self),
            received: received)
        let fault = state.withLock { state -> Fault? in
            state.requests.append(request)
            let text = "\(request.method) \(request.path)"
            guard let index = state.faults.firstIndex(where: { text.contains($0.match) || request.short == $0.match })
            else { return nil }
            return state.faults.remove(at: index)
        }
        if let fault {
            if fault.hasEffect { _ = answer(request) }
            guard let reply = fault.reply else {
                connection.reset()
                return false
            }
            return send(reply, connection)
        }
        return send(extra(request) ?? answer(request), connection)
    }

    private func send(_ reply: Reply, _ connection: Connection) -> Bool {
        let body = reply.body.isNull ? "" : reply.body.serialized()
        return connection.answer(reply.status, headers: ["Content-Type: application/json"] + reply.headers, body: body)
    }

    // MARK: The state

    private func answer(_ request: Request) -> Reply {
        let parts = request.path.split(separator: "/").map(String.init)
        if request.path.hasSuffix("/oauth2/v2.0/token") {
            return state.withLock { state in
                state.tokens += 1
                let token = JSONValue.string("token-\(state.tokens)")
                return Reply(body: ["access_token": token, "expires_in": state.lifetime])
            }
        }
        return state.withLock { state in
            if parts.last == "containerGroups" { return list(request, &state) }
            if let index = parts.firstIndex(of: "containerGroups") {
                return group(request, Array(parts[(index + 1)...]), &state)
            }
            if let index = parts.firstIndex(of: "deployments") {
                return deployment(request, Array(parts[(index + 1)...]), &state)
            }
            return .error("404 Not Found", "InvalidResourceType")
        }
    }

    private func list(_ request: Request, _ state: inout State) -> Reply {
        let names = state.groups.keys.sorted()
        let start = request.query["skip"].flatMap { Int($0) } ?? 0
        let page = names.dropFirst(start).prefix(state.pageSize)
        let groups = page.map { name -> JSONValue in
            guard var group = state.groups[name] else { return .null }
            if !state.listsViews {
                group["properties"]?["instanceView"] = nil
                var containers = group["properties"]?["containers"]?.arrayValue ?? []
                for index in containers.indices { containers[index]["properties"]?["instanceView"] = nil }
                group["properties"]?["containers"] = .array(containers)
            }
            return group
        }
        var body: JSONValue = ["value": .array(groups)]
        let next = start + page.count
        if next < names.count {
            body["nextLink"] = .string("\(url)\(request.path)?api-version=2023-05-01&skip=\(next)")
        }
        return Reply(body: body)
    }

    private func group(_ request: Request, _ parts: [String], _ state: inout State) -> Reply {
        let name = parts.first ?? ""
        guard let group = state.groups[name] else {
            return request.method == "DELETE"
                ? Reply(status: "204 No Content") : .error("404 Not Found", "ResourceNotFound")
        }
        switch (request.method, parts.dropFirst().last) {
        case ("GET", "logs"):
            let tail = request.query["tail"].flatMap { Int($0) } ?? .max
            let lines = state.log.split(separator: "\n").suffix(tail)
            return Reply(body: ["content": .string(lines.map { "\($0)\n" }.joined())])
        case ("GET", _):
            if group["deleting"] == true {
                state.deletionLooks -= 1
                if state.deletionLooks <= 0 { state.groups[name] = nil }
            }
            return Reply(body: group)
        case ("DELETE", _):
            if state.deletionLooks > 0 {
                state.groups[name]?["deleting"] = true
            } else {
                state.groups[name] = nil
            }
            return Reply(status: "202 Accepted", body: group)
        case ("POST", "stop"):
            state.groups[name] = Self.group(name, "Terminated", code: 143, tags: group["tags"] ?? [:])
            return Reply(status: "204 No Content")
        default: return .error("405 Method Not Allowed", "No")
        }
    }

    private func deployment(_ request: Request, _ parts: [String], _ state: inout State) -> Reply {
        let name = parts.first ?? ""
        switch (request.method, parts.count) {
        case ("PUT", _):
            if state.deployments[name]?.state == "Running" {
                return .error("409 Conflict", "DeploymentActive", "The deployment is still active.")
            }
            let ending = state.endings.isEmpty ? ("Succeeded", nil) : state.endings.removeFirst()
            state.deployments[name] = state.looks > 0 ? ("Running", nil) : ending
            if ending.0 == "Succeeded" {
                state.starts += 1
                let group = String(name.dropFirst("prefect-".count))
                let tags = request.json["properties"]?["template"]?["resources"]?[0]?["tags"] ?? [:]
                state.groups[group] = Self.group(group, "Running", tags: tags)
            }
            return Reply(
                status: "201 Created", headers: ["Azure-AsyncOperation: \(url)/operations/\(name)?deployments"])
        case ("GET", _):
            guard let deployment = state.deployments[name] else { return .error("404 Not Found", "DeploymentNotFound") }
            if deployment.state == "Running" {
                state.looks -= 1
                if state.looks <= 0 { state.deployments[name] = ("Succeeded", nil) }
            }
            return Reply(
                body: [
                    "properties": [
                        "provisioningState": .string(deployment.state), "error": deployment.error ?? .null,
                    ]
                ])
        case ("DELETE", _):
            state.deployments[name] = nil
            return Reply(status: "202 Accepted")
        case ("POST", _):
            state.deployments[name] = ("Canceled", nil)
            return Reply(status: "204 No Content")
        default: return .error("405 Method Not Allowed", "No")
        }
    }

    /// A group with one container.
    static func group(
        _ name: String, _ state: String, code: Int? = nil, detail: String = "", tags: JSONValue = [:],
        events: JSONValue = []
    ) -> JSONValue {
        var current: JSONValue = ["state": .string(state), "detailStatus": .string(detail)]
        if let code { current["exitCode"] = .int(code) }
        return [
            "name": .string(name), "tags": tags,
            "properties": [
                "provisioningState": "Succeeded",
                "containers": [
                    [
                        "name": "main",
                        "properties": [
                            "resources": ["requests": ["cpu": 1.0, "memoryInGB": 1.5]],
                            "instanceView": ["currentState": current, "events": events],
                        ],
                    ]
                ],
                "instanceView": ["events": [], "state": state == "Terminated" ? "Succeeded" : .string(state)],
            ],
        ]
    }

    // MARK: Clients

    /// The environment of a worker that uses this server.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        [
            "AZURE_AUTHORITY_HOST": url, AzureCloud.resourceManagerVariable: url, "AZURE_TENANT_ID": "tenant",
            "AZURE_CLIENT_ID": "client", "AZURE_CLIENT_SECRET": "swordfish", "PATH": "/nowhere",
        ].merging(others) { $1 }
    }

    /// An identity that finds its credentials in an environment.
    func identity(
        _ environment: [String: String], _ credentials: AzureCredentials = AzureCredentials(),
        allowsHostCredentials: Bool = false
    ) throws -> AzureIdentity {
        let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
        return try AzureIdentity(
            credentials, environment: environment, allowsHostCredentials: allowsHostCredentials, transport: transport,
            direct: { transport }, sleep: { _ in })
    }

    /// A client of the Resource Manager.
    func resourceManager() throws -> ResourceManager {
        ResourceManager(
            identity: try identity(environment()),
            transport: try HTTPTransport(TransportConfiguration(proxies: .direct)), sleep: { _ in })
    }

    static let place = ResourceGroup(subscription: "sub", name: "rg")

    /// A client of a resource group.
    func client() throws -> ContainerInstancesClient {
        var client = ContainerInstancesClient(
            place: ContainerInstancesPlace(group: Self.place, credentials: AzureCredentials()),
            arm: try resourceManager())
        client.timing = CreationTiming(
            pauses: .init(from: .milliseconds(5), to: .milliseconds(5)), patience: .milliseconds(100),
            deletion: .milliseconds(5))
        return client
    }
}

/// Runs `body`, and returns its error.
func failure<Result>(_ body: () async throws -> Result) async -> (any Error)? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error
    }
}
