import HealthServer
import Logging
import PrefectConcurrency
import PrefectJSON
import WorkerKit

extension StartSession {
    /// Answers at the control socket in the state directory, until the task is cancelled. A worker without a state
    /// directory has no socket. Any problem costs the worker only its socket.
    func answerControl(_ logger: Logger) async {
        await worker.stateDirectory.wait { $0 != nil }
        // As long as this task holds the directory, no other worker can take it and use its own socket there.
        guard let directory = worker.stateDirectory.value else { return }
        do {
            let socket = try ControlSocket(creatingIn: directory.path)
            defer { socket.remove() }
            let server = HealthServer(
                socket: socket.address, name: socket.path, routes: controlRoutes, logger: logger)
            try await server.run { logger.debug("Answering at the control socket \($0)") }
        } catch {
            logger.warning(
                "The worker continues without a control socket in '\(directory.path)', where it cannot be made: \(error)"
            )
        }
        withExtendedLifetime(directory) {}
    }

    private var controlRoutes: [StatusRoute] { [statusRoute] }

    /// `/status`. Secrets are masked, because every client that reaches the port may read the answer.
    var statusRoute: StatusRoute {
        StatusRoute(path: "/status") { [worker] in
            RouteAnswer(
                status: 200, contentType: "application/json",
                body: worker.live.redact(worker.probes.report.serialized(.compact)))
        }
    }
}
