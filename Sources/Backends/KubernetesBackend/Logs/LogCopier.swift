internal import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectREST

/// Copies the output of one pod, and continues at the same position when the connection breaks.
///
/// The task of a copier waits for long and keeps the memory of its deepest call. So the copier keeps large values in
/// itself, and its deep calls have tasks of their own. Only one task uses it.
final class LogCopier {
    private typealias Line = (text: [UInt8], position: OutputPosition)

    private let client: KubernetesClient
    private let namespace: String
    private let pod: PodOutput
    private let source: OutputSource
    private let output: OutputPrinter
    private let onUnreadable: (KubernetesError) -> Void
    private var mark: OutputMark
    private var lines: LogLines
    private var printed: OutputPosition
    private var failures = 0

    /// How often a log is opened again after a failure.
    private static let mostFailures = 60

    /// A copier that begins at the position that an earlier process recorded, else at `start`.
    ///
    /// - Parameter onUnreadable: Called with each failure to read the log.
    init(
        of pod: PodOutput, in namespace: String, as source: OutputSource, from start: OutputPosition,
        client: KubernetesClient, backend: KubernetesBackend, onUnreadable: @escaping (KubernetesError) -> Void
    ) {
        self.client = client
        self.namespace = namespace
        self.pod = pod
        self.source = source
        self.onUnreadable = onUnreadable
        output = backend.output
        mark = backend.marks.mark(of: KubernetesBackend.mark(ofPod: pod.uid, flowRunID: source.flowRunID))
        lines = LogLines(from: mark.position ?? start)
        printed = lines.position
    }

    /// Copies until the container has ended, its log cannot be read any more, or the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            do {
                if try await follow() { break }
            } catch {
                guard mayContinue(after: error) else { break }
                try? await inChildTask { try await Task.sleep(for: .seconds(1)) }
            }
        }
        mark.end(at: printed)
    }

    @inline(never)
    private func mayContinue(after error: any Error) -> Bool {
        guard let error = error as? KubernetesError else { return false }
        onUnreadable(error)
        // A pod that is gone, or that the worker may not read, yields no more output.
        guard error.isTransient, failures < Self.mostFailures else { return false }
        failures += 1
        return true
    }

    /// Copies what the container prints, except the lines that were read before. Returns whether the container has
    /// ended and all of its output is copied. After `false`, the log has to be read again.
    private func follow() async throws -> Bool {
        let connections = client.connections
        let body = try await open()
        do {
            for try await portion in body { try await print(take(portion)) }
        } catch {
            try handle(error, connections)
            return false
        }
        try await print(takeRest())
        return true
    }

    @inline(never)
    private func open() async throws -> HTTPBody {
        let since = lines.since
        lines.resume()
        return try await client.followLog(
            namespace: namespace, pod: pod.name, container: pod.container, since: since)
    }

    /// Throws the error of a reading, unless it only means that the log was silent for long.
    @inline(never)
    private func handle(_ error: any Error, _ connections: HTTPTransport) throws {
        guard let error = error as? TransportError else { throw error }
        guard error.kind == .idleTimeout else {
            let path = Resource.pods.path(namespace: namespace, name: pod.name, subresource: "log")
            throw try KubernetesClient.converted(error, "GET \(path)")
        }
        client.noteSilence(of: connections)
    }

    @inline(never)
    private func take(_ portion: [UInt8]) -> [Line] {
        var ready: [Line] = []
        lines.take(portion) { ready.append(($0, $1)) }
        return ready
    }

    @inline(never)
    private func takeRest() -> [Line] {
        var ready: [Line] = []
        lines.finish { ready.append(($0, $1)) }
        return ready
    }

    private func print(_ ready: [Line]) async throws {
        guard !ready.isEmpty else { return }
        let (output, source) = (output, source)
        let count = try await inChildTask {
            for (count, line) in ready.enumerated() {
                guard await output.print(line.text, of: source) else { return count }
            }
            return ready.count
        }
        try advance(by: count, of: ready)
    }

    /// Records which lines were printed. Throws `CancellationError` if the task was cancelled before all were.
    @inline(never)
    private func advance(by count: Int, of ready: [Line]) throws {
        if count > 0 { printed = ready[count - 1].position }
        mark.advance(to: printed)
        if count < ready.count { throw CancellationError() }
    }
}
