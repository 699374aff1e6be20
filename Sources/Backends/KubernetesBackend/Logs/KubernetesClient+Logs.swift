internal import BackendKit
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON

extension KubernetesClient {
    /// A container's output since a time, and its further output until the container ends. The stream ends with
    /// `idleTimeout` when the log is silent for long: it may be dead, or belong to a quiet flow.
    func followLog(
        namespace: String, pod: String, container: String, since: Timestamp?
    ) async throws -> HTTPBody {
        let path = Resource.pods.path(namespace: namespace, name: pod, subresource: "log")
        // The task that follows a log may wait for long.
        return try await inChildTask { try await self.openLog(path, container, since: since) }
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
