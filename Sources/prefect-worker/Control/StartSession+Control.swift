import HealthServer
import Logging
import PrefectConcurrency
import PrefectFiles
import PrefectJSON
import WorkerKit

extension StartSession {
    /// Answers at the control socket in the state directory, until the task is cancelled. A worker without a state
    /// directory has no socket. Any problem costs the worker only its socket.
    func answerControl(_ logger: Logger) async {
        await worker.stateDirectory.wait { $0 != nil }
        // As long as this task holds the directory, no other worker can take it and use its own socket there.
        guard let directory = worker.stateDirectory.value else { return }
        let published = ObservedValue<Descriptor?>(nil)
        do {
            let socket = try ControlSocket.Maker(in: directory.path)
            defer { socket.remove() }
            let server = HealthServer(
                socket: socket.address, name: socket.path, routes: controlRoutes, logger: logger)
            try await server.run { _ in
                do {
                    let descriptor = try socket.publish()
                    published.update { $0 = descriptor }
                } catch  where worker.stateDirectory.value == nil {
                    // The worker has ended meanwhile, and with it the server.
                } catch {
                    logger.warning("The control socket '\(socket.path)' cannot be found by commands: \(error)")
                }
            }
        } catch {
            logger.warning(
                "The worker continues without a control socket in '\(directory.path)', where it cannot be made: \(error)"
            )
        }
        withExtendedLifetime(published) {}
        withExtendedLifetime(directory) {}
    }

    private var controlRoutes: [StatusRoute] {
        [
            statusRoute,
            changing("/pause", "paused: claiming no flow runs") { worker, _ in try worker.pause() },
            changing("/resume", "claiming flow runs") { worker, _ in try worker.resume() },
            changing("/drain", "draining: exiting when the last flow run has ended") { worker, query in
                try worker.drain(within: try Self.drainLimit(query))
            },
        ]
    }

    /// A route that changes the worker. The answer is `message`, or the refusal with status 409.
    private func changing(
        _ path: String, _ message: String, _ change: @escaping @Sendable (PrefectWorker, String) throws -> Void
    ) -> StatusRoute {
        StatusRoute(post: path) { [worker] query in
            do {
                try change(worker, query)
                return .message(message, status: 200)
            } catch {
                return .message("\(error)", status: 409)
            }
        }
    }

    private static func drainLimit(_ query: String) throws -> Duration? {
        guard !query.isEmpty else { return nil }
        let parts = query.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts[0] == "timeout",
            let limit = Duration(secondsText: parts[1], in: 0...Duration.longestPause)
        else { throw Refusal("The query must be timeout=SECONDS, with a number from 0 to 1000000000") }
        return limit
    }

    /// `/status`. Secrets are masked, because every client that reaches the port may read the answer.
    var statusRoute: StatusRoute {
        StatusRoute(path: "/status") { [worker] in
            RouteAnswer(
                status: 200, contentType: "application/json",
                body: worker.live.redact(worker.probes.report.serialized(.compact)))
        }
    }
}
