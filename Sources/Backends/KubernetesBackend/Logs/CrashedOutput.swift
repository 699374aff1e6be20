/// The last lines of the pods of a job that has failed.
///
/// The lines come from the flow's container of each pod, or, where it printed nothing, from the other containers. For
/// a restarted container, the output before the restart explains the crash.
struct CrashedOutput: Sendable {
    let client: KubernetesClient
    let namespace: String
    /// The number of lines from each container.
    let lines: Int

    /// The largest size of all lines together, in bytes.
    private static let most = 64 << 10

    private struct Entry {
        let pod: String
        let container: String
        let isFlow: Bool
        let text: String
    }

    /// The last lines of the pods, with the newest pod at the end; `nil` if there are none.
    func text(of pods: [PodSnapshot]) async throws -> String? {
        var entries: [Entry] = []
        var room = Self.most
        for pod in pods where room > 0 {
            let found = try await self.entries(of: pod, atMost: room)
            room -= found.reduce(0) { $0 + $1.text.utf8.count }
            entries = found + entries
        }
        if entries.count == 1, entries[0].isFlow { return entries[0].text }
        let parts = entries.map { entry in
            "Container '\(entry.container)' of pod '\(entry.pod)':\n\(entry.text)\(entry.text.hasSuffix("\n") ? "" : "\n")"
        }
        return parts.isEmpty ? nil : parts.joined()
    }

    private func entries(of pod: PodSnapshot, atMost bytes: Int) async throws -> [Entry] {
        let flow = pod.knownFlowContainer
        if let flow, let text = try await lastLines(of: flow, in: pod, atMost: bytes) {
            return [Entry(pod: pod.name, container: flow.name, isFlow: true, text: text)]
        }
        var entries: [Entry] = []
        var room = bytes
        for container in pod.containers where container != flow && room > 0 {
            guard let text = try await lastLines(of: container, in: pod, atMost: room) else { continue }
            room -= text.utf8.count
            entries.append(Entry(pod: pod.name, container: container.name, isFlow: false, text: text))
        }
        return entries
    }

    private func lastLines(
        of container: PodSnapshot.Container, in pod: PodSnapshot, atMost bytes: Int
    ) async throws -> String? {
        var readings = [false]
        if container.restarts > 0 {
            readings = [true, false]
        } else if !container.hasBegun {
            return nil
        }
        for isPrevious in readings {
            do {
                let text = try await client.lastLines(
                    lines, namespace: namespace, pod: pod.name, container: container.name, previous: isPrevious,
                    atMost: bytes)
                if text.contains(where: { !$0.isWhitespace }) { return text }
            } catch let error as KubernetesError where error.kind != .forbidden {
                // The log of a removed pod, or of a removed earlier container, cannot be read.
            }
        }
        return nil
    }
}
