internal import OrderedCollections
internal import PrefectJSON

/// One or several kubeconfig files, merged as in `kubectl`: if several files define the same entry, the first one
/// applies.
struct Kubeconfig: Sendable, Hashable {
    /// A cluster, a user or a context as written, with the directory from which its relative paths start.
    struct Entry: Sendable, Hashable {
        let fields: OrderedDictionary<String, JSONValue>
        let directory: String
    }

    /// The name of the configuration in messages: the paths of its files.
    private(set) var name: String
    private(set) var clusters: [String: Entry] = [:]
    private(set) var users: [String: Entry] = [:]
    private(set) var contexts: [String: Entry] = [:]
    private(set) var currentContext: String?

    /// Reads one file's content. Relative paths in it start from `directory`.
    init(_ json: JSONValue, name: String, directory: String) throws(ClusterConfigurationError) {
        self.name = name
        guard case .object(let members) = json else {
            throw ClusterConfigurationError(
                "The kubeconfig \(name) should be an object but is \(json.typeName); check that it is the right file")
        }
        clusters = try Self.entries("clusters", "cluster", in: members, name: name, directory: directory)
        users = try Self.entries("users", "user", in: members, name: name, directory: directory)
        contexts = try Self.entries("contexts", "context", in: members, name: name, directory: directory)
        if let current = members["current-context"]?.stringValue, !current.isEmpty { currentContext = current }
    }

    private static func entries(
        _ list: String, _ kind: String, in members: OrderedDictionary<String, JSONValue>, name: String,
        directory: String
    ) throws(ClusterConfigurationError) -> [String: Entry] {
        var entries: [String: Entry] = [:]
        switch members[list] {
        case nil, .null?: return entries
        case .array(let elements)?:
            for (index, element) in elements.enumerated() {
                guard let entryName = element["name"]?.stringValue, !entryName.isEmpty else {
                    throw ClusterConfigurationError(
                        "'\(list)[\(index)]' of the kubeconfig \(name) has no name; give it one or take it out")
                }
                let fields = element[kind]?.objectValue ?? [:]
                if entries[entryName] == nil { entries[entryName] = Entry(fields: fields, directory: directory) }
            }
            return entries
        case .some(let other):
            throw ClusterConfigurationError(
                "'\(list)' of the kubeconfig \(name) should be a list but is \(other.typeName); correct it")
        }
    }

    /// Adds the entries of another file that are not defined yet.
    mutating func merge(_ other: Kubeconfig) {
        name += ", \(other.name)"
        clusters.merge(other.clusters) { own, _ in own }
        users.merge(other.users) { own, _ in own }
        contexts.merge(other.contexts) { own, _ in own }
        currentContext = currentContext ?? other.currentContext
    }
}
