internal import AzureAccess
public import BackendKit
internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

/// How much of a log is requested.
enum LogReader {
    /// The number of lines that a reading requests first.
    static let shortestTail = 100
    /// The tails that are requested in turn, until one reaches back to the last position; the last is the whole log.
    static let tails: [Int?] = [shortestTail, 2000, nil]

    /// The lines of a log, each with its time. A line without a time continues the one before it.
    static func lines(of content: String) -> [(time: OutputTime?, text: Substring)] {
        var lines = content.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.last?.isEmpty == true { lines.removeLast() }
        return lines.map { line in
            let end = line.firstIndex(of: " ") ?? line.endIndex
            guard let time = OutputTime(String(line[..<end])) else { return (nil, line) }
            return (time, line[end...].dropFirst())
        }
    }
}

extension ContainerInstancesClient {
    /// The lines of the container's log after a position. Azure gives the end of a log only, so more of it is requested
    /// until it reaches back to the position.
    public func output(of task: String, after position: String?) async throws -> RemoteOutput {
        let (task, place) = try located(task)
        return try await translating(in: place) {
            guard let container = try await container(of: task, in: place) else {
                throw RemoteTaskError(.notFound, "The container group '\(task.group)' does not exist")
            }
            let start = position.flatMap { OutputPosition(text: $0) } ?? OutputPosition()
            for tail in start.time == nil ? [nil] : LogReader.tails {
                let lines = LogReader.lines(
                    of: try await content(of: container, task, tail: tail, in: place))
                let first = lines.first { $0.time != nil }?.time
                let reachesBack = first.flatMap { first in start.time.map { first < $0 } } ?? lines.isEmpty
                if tail != nil, lines.count >= (tail ?? 0), !reachesBack { continue }
                return portion(of: lines, after: start)
            }
            return RemoteOutput()
        }
    }

    private func portion(
        of lines: [(time: OutputTime?, text: Substring)], after start: OutputPosition
    ) -> RemoteOutput {
        var position = start
        position.resume()
        var bytes: [UInt8] = []
        for line in lines where position.admits(line.time) {
            bytes += line.text.utf8
            bytes.append(UInt8(ascii: "\n"))
        }
        return RemoteOutput(bytes: bytes, position: position.text)
    }

    private func content(
        of container: String, _ task: GroupTask, tail: Int?, in place: ResourceGroup
    ) async throws -> String {
        do {
            return try await arm.send(
                .get, Requests.logs(of: container, in: task.group, place), query: Requests.logQuery(tail: tail),
                version: Requests.containerGroups, operation: "read the log of container group '\(task.group)'"
            ).json()["content"]?.stringValue ?? ""
        } catch let failure as RequestFailure where failure.status == 400 || failure.status == 409 {
            // The container has not begun, or has just ended.
            return ""
        }
    }

    private func container(of task: GroupTask, in place: ResourceGroup) async throws -> String? {
        if let name = known[task.group]?.status.containerName { return name }
        guard let group = try await own(task, in: place) else { return nil }
        known.note(group, of: task.group, isRead: true)
        return group.containerName
    }
}
