internal import FoundationEssentials
internal import PrefectFiles
internal import PrefectJSON
internal import Synchronization

/// The tasks that are to be deleted, which are stored in the worker's state directory until they are gone.
final class RemoteDeletions: Sendable {
    /// A task to delete.
    struct Entry: Sendable, Hashable {
        /// The name of the task's place.
        let place: String
        let task: String
    }

    private let directory: String?
    /// The entries, and the names of their files.
    private let entries: Mutex<[Entry: String]>

    /// The deletions of a type of worker, with those of earlier processes.
    init(stateDirectory: String?, ofType workerType: String) {
        directory = stateDirectory.map { "\($0)/\(workerType)-deletions" }
        var found: [Entry: String] = [:]
        if let directory {
            try? FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? [] {
                guard let bytes = RegularFile.read(name, below: directory, limit: 64 << 10),
                    let json = try? JSONValue(parsing: bytes), let place = json["place"]?.stringValue,
                    let task = json["task"]?.stringValue
                else { continue }
                found[Entry(place: place, task: task)] = name
            }
        }
        entries = Mutex(found)
    }

    /// The tasks to delete at a place.
    func tasks(at place: String) -> [String] {
        entries.withLock { $0.keys.filter { $0.place == place }.map(\.task).sorted() }
    }

    func add(_ entry: Entry) {
        let name = UUID().uuidString.lowercased()
        guard
            entries.withLock({ entries in
                guard entries[entry] == nil else { return false }
                entries[entry] = name
                return true
            })
        else { return }
        let json: JSONValue = ["place": .string(entry.place), "task": .string(entry.task)]
        if let directory { RegularFile.replace(name, below: directory, with: json.serializedBytes()) }
    }

    func remove(_ entry: Entry) {
        guard let name = entries.withLock({ $0.removeValue(forKey: entry) }), let directory else { return }
        try? FileManager.default.removeItem(atPath: "\(directory)/\(name)")
    }
}
