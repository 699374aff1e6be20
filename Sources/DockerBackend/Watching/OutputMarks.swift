internal import FoundationEssentials
internal import Worker

/// How far the output of containers has been printed, kept in the worker's state directory, so that the next process goes on
/// from there.
struct OutputMarks: Sendable {
    private let folder: String?

    /// Marks in a state directory; none are kept without one, or where it cannot be written.
    init(stateDirectory: String?) {
        folder = stateDirectory.map { "\($0)/docker-output" }
        if let folder { try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    }

    /// How far a container's output has been printed, if an earlier process has printed any of it.
    func position(of container: String) -> OutputPosition? {
        guard let file = file(container), let bytes = FileManager.default.contents(atPath: file) else { return nil }
        return OutputPosition(text: String(decoding: bytes, as: UTF8.self))
    }

    /// Notes how far it has been printed.
    func set(_ position: OutputPosition, of container: String) {
        guard let file = file(container), let text = position.text else { return }
        try? Data(text.utf8).write(to: URL(filePath: file), options: .atomic)
    }

    /// Forgets a container.
    func remove(_ container: String) {
        if let file = file(container) { try? FileManager.default.removeItem(atPath: file) }
    }

    /// The file of a container, whose id may have come from anywhere.
    private func file(_ container: String) -> String? {
        guard let folder, !container.isEmpty, container.allSatisfy(\.isHexDigit) else { return nil }
        return "\(folder)/\(container)"
    }

    /// Forgets all containers but these.
    func removeAll(except containers: Set<String>) {
        guard let folder else { return }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where !containers.contains(name) { remove(name) }
    }
}
