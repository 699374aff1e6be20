internal import FoundationEssentials
internal import Hashing
internal import Notation
internal import PrefectFiles
internal import PrefectJSON
internal import Synchronization

/// The task definitions that were registered for deployments, which are stored in the worker's state directory.
final class DefinitionMemory: Sendable {
    /// A registered definition.
    struct Entry: Sendable, Hashable {
        let arn: String
        /// The digest of the definition as it was requested. AWS may answer it in another form.
        let fingerprint: String
    }

    private let directory: String?
    private let entries = Mutex<[String: Entry?]>([:])

    init(stateDirectory: String?) {
        directory = stateDirectory.map { "\($0)/ecs-definitions" }
        if let directory { Directory.create(directory) }
    }

    /// The digest of a definition.
    static func fingerprint(_ definition: JSONValue) -> String {
        hexadecimal(SHA1.digest(definition.serializedBytes()))
    }

    /// The definition of a deployment at a place.
    func entry(_ key: String) -> Entry? {
        if let known = entries.withLock({ $0[key] }) { return known }
        let stored = read(key)
        return entries.withLock { entries in
            if let known = entries[key] { return known }
            entries[key] = .some(stored)
            return stored
        }
    }

    private func read(_ key: String) -> Entry? {
        guard let directory, let bytes = RegularFile.read(Self.name(key), below: directory, limit: 64 << 10),
            let json = try? JSONValue(parsing: bytes), json["key"]?.stringValue == key,
            let arn = json["arn"]?.stringValue, let fingerprint = json["fingerprint"]?.stringValue
        else { return nil }
        return Entry(arn: arn, fingerprint: fingerprint)
    }

    func set(_ entry: Entry, of key: String) {
        let changes = entries.withLock { entries in
            defer { entries[key] = .some(entry) }
            return entries[key] != .some(.some(entry))
        }
        guard changes, let directory else { return }
        let json: JSONValue = [
            "key": .string(key), "arn": .string(entry.arn), "fingerprint": .string(entry.fingerprint),
        ]
        RegularFile.replace(Self.name(key), below: directory, with: json.serializedBytes())
    }

    /// Forgets a definition under every key, for example because it is inactive.
    func forget(arn: String) {
        let keys = entries.withLock { entries in
            let keys = entries.compactMap { key, entry in entry?.arn == arn ? key : nil }
            for key in keys { entries[key] = .some(nil) }
            return keys
        }
        guard let directory else { return }
        for key in keys { try? FileManager.default.removeItem(atPath: "\(directory)/\(Self.name(key))") }
    }

    private static func name(_ key: String) -> String { hexadecimal(SHA1.digest(Array(key.utf8))) }
}
