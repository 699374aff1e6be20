internal import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON

extension KubernetesClient {
    /// Copies a container's output as the container prints it, except the lines that `lines` has received before.
    /// Returns whether the container has ended and all of its output is copied. A log that is silent for long may be
    /// dead, or belong to a quiet flow. Then the result is `false`, and the caller has to read on.
    ///
    /// Calls `print` with each line, and `reached` with the position after it. Throws when the log cannot be read or
    /// breaks off, and a `CancellationError` when `print` returns `false`.
    func followLog(
        namespace: String, pod: String, container: String, from lines: inout LogLines,
        print: ([UInt8]) async -> Bool, reached: (OutputPosition) -> Void
    ) async throws -> Bool {
        let path = Resource.pods.path(namespace: namespace, name: pod, subresource: "log")
        let since = lines.since
        lines.resume()
        let used = connections
        // The task that follows a log may wait for long.
        let body = try await inChildTask { try await self.openLog(path, container, since: since) }
        var ready: [(line: [UInt8], position: OutputPosition)] = []
        func printReady() async throws {
            for (line, position) in ready {
                guard await print(line) else { throw CancellationError() }
                reached(position)
            }
            ready = []
        }
        do {
            for try await portion in body {
                lines.take(portion) { ready.append(($0, $1)) }
                try await printReady()
            }
        } catch let error as TransportError where error.kind == .idleTimeout {
            noteSilence(of: used)
            return false
        } catch let error as TransportError {
            throw try Self.converted(error, "GET \(path)")
        }
        lines.finish { ready.append(($0, $1)) }
        try await printReady()
        return true
    }

    private func openLog(_ path: String, _ container: String, since: Timestamp?) async throws -> HTTPBody {
        var query = [("container", container), ("follow", "true"), ("timestamps", "true")]
        if let since { query.append(("sinceTime", since.apiFormat)) }
        let deadlines = Deadlines(
            connect: timing.connect, firstByte: timing.silence, idle: timing.silence * 2, whole: nil)
        return try await open(.get, path, query: query, deadlines: deadlines, isMostlySilent: true).body
    }

    /// The last lines that a container has printed, or those that it printed before its last restart.
    func lastLines(
        _ count: Int, namespace: String, pod: String, container: String, previous: Bool = false, atMost bytes: Int
    ) async throws -> String {
        let path = Resource.pods.path(namespace: namespace, name: pod, subresource: "log")
        var query = [("container", container), ("tailLines", String(count))]
        if previous { query.append(("previous", "true")) }
        let response = try await open(
            .get, path, query: query,
            deadlines: Deadlines(
                connect: timing.connect, firstByte: timing.answer, idle: timing.answer, whole: timing.answer * 2))
        var tail: [UInt8] = []
        do {
            for try await portion in response.body {
                tail += portion
                if tail.count > 2 * bytes { tail.removeFirst(tail.count - bytes) }
            }
        } catch {
            throw try Self.converted(error, "GET \(path)")
        }
        var last = tail.suffix(bytes)
        if last.count < tail.count, let end = last.firstIndex(of: UInt8(ascii: "\n")) { last = last[(end + 1)...] }
        return String(decoding: last, as: UTF8.self)
    }
}
