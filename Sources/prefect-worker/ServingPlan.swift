import FoundationEssentials
import JSON
import OrderedCollections
import PrefectAPI

/// What the operator wants to be served: which work pools, and how many flow runs at a time.
struct ServingPlan: Sendable, Hashable {
    /// A pool, and how it is served.
    struct Pool: Sendable, Hashable {
        let name: String
        /// The type of worker; the pool's own if not given.
        var type: String?
        /// The queues that are polled; all if none is named.
        var queues: [String] = []
        /// How many runs of this pool are in flight at most.
        var limit: Int?
        /// The worker's name in this pool; the plan's if not given.
        var workerName: String?
        /// The job variables that deployments and flow runs may set although they say what a run may do on this host.
        var allowedJobVariables: [String] = []
    }

    /// The pools, each once.
    var pools: [Pool]
    /// How many runs are in flight at most, of all pools together.
    var limit: Int?
    /// The worker's name in every pool that gives it no other; a unique one if not given.
    var workerName: String?
    /// What the daemon's own folder is named after: it must stay the same while pools are added and taken away.
    var title: String

    /// The pools' names.
    var names: [String] { pools.map(\.name) }

    /// Refuses the name of a worker that the API does not take; `place` is the flag or the key that gave it.
    static func checkWorkerName(_ name: String?, of place: String) throws {
        guard let name, name.contains("/") || name.contains("%") else { return }
        throw Refusal("\(place): the worker's name '\(name)' cannot contain '/' or '%'; choose another one")
    }

    /// Refuses the name of a work pool that the API does not take; `place` is the flag or the key that gave it.
    static func checkPoolName(_ name: String, of place: String) throws {
        guard name.contains(where: { "/%&<>".contains($0) }) else { return }
        throw Refusal(
            "\(place): the name of a work pool cannot contain '/', '%', '&', '<' or '>', as '\(name)' does; name another"
        )
    }
}

// MARK: The file

extension ServingPlan {
    /// Reads a file with a table for each pool:
    ///
    ///     limit = 20
    ///     name = "a-worker"
    ///
    ///     [pools.a-pool]
    ///     type = "docker"
    ///     queues = ["one", "two"]
    ///     limit = 5
    ///     name = "another-worker"
    ///     allowed_job_variables = ["user"]
    ///
    /// Everything but the pools' names may be left out. Anything else is refused by name.
    init(reading path: String) throws {
        guard let document = try TOMLDocument(reading: path) else {
            throw Refusal("The configuration '\(path)' does not exist; name a TOML file with a table [pools.NAME]")
        }
        var top = Table(path: path, prefix: "", rest: document.root)
        title = path
        limit = try top.limit()
        workerName = try top.text("name")
        try Self.checkWorkerName(workerName, of: "'name' in '\(path)'")
        guard case .object(let tables)? = top.rest.removeValue(forKey: "pools"), !tables.isEmpty else {
            throw Refusal("The configuration '\(path)' names no work pool; add a table [pools.NAME] for each")
        }
        try top.expectNothingElse(known: "limit, name and pools")
        pools = []
        // The parser forgets the order of keys.
        for (pool, value) in tables.sorted(by: { $0.key < $1.key }) {
            guard case .object(let members) = value, !pool.isEmpty else {
                throw Refusal("'pools.\(pool)' in '\(path)' must be a table: [pools.NAME]")
            }
            var table = Table(path: path, prefix: "pools.\(pool).", rest: members)
            try Self.checkPoolName(pool, of: "[pools.\"\(pool)\"] in '\(path)'")
            let name = try table.text("name")
            try Self.checkWorkerName(name, of: "'pools.\(pool).name' in '\(path)'")
            pools.append(
                Pool(
                    name: pool, type: try table.text("type"), queues: try table.texts("queues"),
                    limit: try table.limit(), workerName: name,
                    allowedJobVariables: try table.texts("allowed_job_variables")))
            try table.expectNothingElse(known: "type, queues, limit, name and allowed_job_variables")
        }
    }

    /// A table whose members are taken out one by one.
    private struct Table {
        let path: String
        let prefix: String
        var rest: TOMLDocument.Table

        mutating func text(_ key: String) throws -> String? {
            switch rest.removeValue(forKey: key) {
            case nil: return nil
            case .string(let text) where !text.isEmpty: return text
            default: throw refusal(key, "must be a text in quotation marks")
            }
        }

        mutating func texts(_ key: String) throws -> [String] {
            guard let value = rest.removeValue(forKey: key) else { return [] }
            guard let texts = value.arrayValue.map({ $0.compactMap(\.stringValue) }),
                texts.count == value.arrayValue?.count, texts.allSatisfy({ !$0.isEmpty })
            else { throw refusal(key, "must be a list of texts, like [\"a\", \"b\"]") }
            return texts.withoutRepetitions
        }

        mutating func limit() throws -> Int? {
            switch rest.removeValue(forKey: "limit") {
            case nil: return nil
            case .int(let limit) where limit >= 1: return limit
            default: throw refusal("limit", "must be a whole number, 1 or more")
            }
        }

        func expectNothingElse(known: String) throws {
            guard let key = rest.keys.min() else { return }
            throw refusal(key, "is not known; there are \(known)")
        }

        private func refusal(_ key: String, _ problem: String) -> Refusal {
            Refusal("'\(prefix)\(key)' in '\(path)' \(problem)")
        }
    }
}

extension [String] {
    /// Each element once, in the order of their first appearance.
    var withoutRepetitions: [String] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
