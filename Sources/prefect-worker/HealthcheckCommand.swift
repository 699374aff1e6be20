import ArgumentParser
import FoundationEssentials
import HTTPTransport
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect-worker healthcheck`: the command of a container's `HEALTHCHECK`, if the container has no other HTTP client.
struct HealthcheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Request /health from the worker on this host; status 1 if it is unhealthy or does not answer.",
        discussion: """
            The worker must run with --with-healthcheck, and with the same PREFECT_WORKER_WEBSERVER_HOST and \
            PREFECT_WORKER_WEBSERVER_PORT.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    func run() async throws {
        let worker = try common.loadSettings(rootProfile: root.profile).worker
        guard worker.webserverPort != 0 else {
            throw Refusal("PREFECT_WORKER_WEBSERVER_PORT is 0, which means any free port; give the worker a fixed port")
        }
        let url = Self.url(host: worker.webserverHost, port: worker.webserverPort)
        // The limit is below the timeout of the check in the Dockerfile, because this error explains more than
        // Docker's.
        let request = HTTPRequest(url: url, deadlines: Deadlines(whole: .seconds(4)))
        // A proxy would send the request to its own host.
        let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
        let (status, body) = try await answer(to: request, over: transport)
        let message = (try? JSONValue(parsing: body))?["message"]?.stringValue ?? ""
        guard status == 200 else { throw Refusal("\(url) answers \(status) \(message)") }
        print(message)
    }

    private func answer(
        to request: HTTPRequest, over transport: HTTPTransport
    ) async throws -> (status: Int, body: [UInt8]) {
        do {
            let answer = try await transport.fetch(request, maxBodyBytes: 65_536)
            return (answer.head.status, answer.body)
        } catch {
            throw error.kind == .couldNotConnect
                ? Refusal("\(error.operation): \(error.cause); start the worker with --with-healthcheck")
                : Refusal("\(error)")
        }
    }

    /// Returns the URL for requests from the same host to a server that listens on `host`.
    static func url(host: String, port: Int) -> String {
        switch host {
        case "", "0.0.0.0": "http://127.0.0.1:\(port)/health"
        case "::", "[::]": "http://[::1]:\(port)/health"
        case _ where host.contains(":") && !host.hasPrefix("["): "http://[\(host)]:\(port)/health"
        default: "http://\(host):\(port)/health"
        }
    }
}
