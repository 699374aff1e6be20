import HTTPTransport
import PrefectJSON
import PrefectREST
import WorkerKit

/// A worker of this host that answers at its control socket.
struct RunningWorker: Sendable {
    /// The state directory of the worker.
    let stateDirectory: String
    /// The document of `/status`, as the worker first answered it.
    let status: JSONValue
    private let socket: ControlSocket
    private let client: RESTClient

    /// The worker's names, each once, since pools may have different ones. Empty while it looks for its pools.
    var names: [String] {
        (status["pools"]?.arrayValue ?? []).compactMap { $0["worker"]?.stringValue }.withoutRepetitions
    }

    /// The names and the state directory, for messages.
    var description: String {
        let names = names.map { "'\($0)'" }.joined(separator: ", ")
        return names.isEmpty ? "a worker that starts, in '\(stateDirectory)'" : "\(names) in '\(stateDirectory)'"
    }

    /// Connects to the worker of a state directory. Returns `nil` if none runs there.
    ///
    /// - Throws: `Refusal` if this user may not use the socket, or if the worker does not answer.
    init?(stateDirectory: String, over transport: HTTPTransport) async throws(Refusal) {
        do {
            socket = try ControlSocket(in: stateDirectory)
        } catch {
            guard !error.isAbsence else { return nil }
            throw Self.refusal(stateDirectory, error)
        }
        var client = RESTClient(transport: transport, baseURL: "http://localhost")
        client.unixSocketPath = socket.address
        client.reason = { answer in
            let json = try? JSONValue(parsing: answer.body)
            return ServiceReason(message: json?["message"]?.stringValue ?? "status \(answer.status)")
        }
        self.client = client
        self.stateDirectory = stateDirectory
        do {
            status = try await client.json(Self.request(.get, "/status"))
        } catch {
            // A worker that was killed leaves its socket.
            if (error as? RequestFailure)?.transportError?.kind == .couldNotConnect { return nil }
            throw Self.refusal(stateDirectory, error)
        }
    }

    /// The document of `/status` now.
    ///
    /// - Throws: `Refusal` if the worker does not answer any more.
    func currentStatus() async throws(Refusal) -> JSONValue { try await send(.get, "/status") }

    /// Sends a request, and returns the document of the answer.
    ///
    /// - Throws: `Refusal` with the worker's reason if it does not do what the request asks for.
    @discardableResult
    func send(
        _ method: HTTPMethod, _ path: RequestPath, query: [(name: String, value: String)] = []
    ) async throws(Refusal) -> JSONValue {
        do {
            return try await client.json(Self.request(method, path, query))
        } catch {
            throw Self.refusal(stateDirectory, error)
        }
    }

    /// Waits until the worker does not accept connections any more.
    func waitForEnd() async throws {
        while true {
            do {
                _ = try await client.json(Self.request(.get, "/status"))
            } catch let failure as RequestFailure {
                if failure.transportError?.kind == .couldNotConnect { return }
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private static func request(
        _ method: HTTPMethod, _ path: RequestPath, _ query: [(name: String, value: String)] = []
    ) -> RESTRequest {
        RESTRequest(method, path, query: query, deadlines: Deadlines(whole: .seconds(5)))
    }

    private static func refusal(_ directory: String, _ error: any Error) -> Refusal {
        let path = ControlSocket.path(in: directory)
        guard let failure = error as? RequestFailure, failure.status != nil else {
            let cause = (error as? RequestFailure)?.message ?? "\(error)"
            return Refusal("The worker with the control socket '\(path)' cannot be reached: \(cause)")
        }
        return Refusal("The worker with the control socket '\(path)' refuses: \(failure.message)")
    }
}
