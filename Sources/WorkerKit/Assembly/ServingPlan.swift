internal import OrderedCollections
internal import PrefectClient
internal import PrefectJSON

/// The operator's plan: the work pools to serve, and the number of concurrent flow runs.
public struct ServingPlan: Sendable, Hashable {
    /// A pool and its options.
    public struct Pool: Sendable, Hashable {
        /// The pool's name.
        public let name: String
        /// The type of worker; `nil` for the pool's own type.
        public var type: String?
        /// The queues to poll; empty for all queues.
        public var queues: [String] = []
        /// The maximum number of runs of this pool in flight.
        public var limit: Int?
        /// The worker's name in this pool; `nil` for the plan's name.
        public var workerName: String?
        /// The job variables that deployments and flow runs may set although they control what a run may do on this
        /// host.
        public var allowedJobVariables: [String] = []

        /// A pool. By default, the worker polls all of its queues, without a limit of its own.
        public init(
            name: String, type: String? = nil, queues: [String] = [], limit: Int? = nil, workerName: String? = nil,
            allowedJobVariables: [String] = []
        ) {
            self.name = name
            self.type = type
            self.queues = queues
            self.limit = limit
            self.workerName = workerName
            self.allowedJobVariables = allowedJobVariables
        }
    }

    /// The pools, each once.
    public var pools: [Pool]
    /// The maximum number of runs in flight, of all pools together.
    public var limit: Int?
    /// The worker's name in every pool that sets no other name; `nil` for a unique name.
    public var workerName: String?
    /// The source of the name of the daemon's own directory. It must stay the same while pools are added and removed.
    public var title: String

    /// A plan of pools.
    ///
    /// - Parameters:
    ///   - pools: The pools, each once.
    ///   - limit: The maximum number of runs in flight, of all pools together; `nil` for any number.
    ///   - workerName: The worker's name in every pool that sets no other name; `nil` for a unique name.
    ///   - title: The source of the name of the worker's state directory; `nil` for the name of the first pool.
    public init(pools: [Pool], limit: Int? = nil, workerName: String? = nil, title: String? = nil) {
        self.pools = pools
        self.limit = limit
        self.workerName = workerName
        self.title = title ?? pools.first?.name ?? "worker"
    }

    /// The names of the pools.
    package var names: [String] { pools.map(\.name) }

    /// Refuses a worker's name that the API does not accept. `place` is the flag or the key that contains it.
    package static func checkWorkerName(_ name: String?, of place: String) throws {
        guard let name, name.contains("/") || name.contains("%") else { return }
        throw WorkerRefusal("\(place): the worker's name '\(name)' cannot contain '/' or '%'; choose another one")
    }

    /// Refuses a work pool's name that the API does not accept. `place` is the flag or the key that contains it.
    package static func checkPoolName(_ name: String, of place: String) throws {
        guard name.contains(where: { "/%&<>".contains($0) }) else { return }
        throw WorkerRefusal(
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
    /// Everything except the pools' names is optional. Any other key is refused by name.
    package init(reading path: String) throws {
        guard let document = try TOMLDocument(reading: path) else {
            throw WorkerRefusal(
                "The configuration '\(path)' does not exist; name a TOML file with a table [pools.NAME]")
        }
        var top = Table(path: path, prefix: "", rest: document.root)
        title = path
        limit = try top.limit()
        workerName = try top.text("name")
        try Self.checkWorkerName(workerName, of: "'name' in '\(path)'")
        guard case .object(let tables)? = top.rest.removeValue(forKey: "pools"), !tables.isEmpty else {
            throw WorkerRefusal("The configuration '\(path)' names no work pool; add a table [pools.NAME] for each")
        }
        try top.expectNothingElse(known: "limit, name and pools")
        pools = []
        // The parser does not preserve the order of keys.
        for (pool, value) in tables.sorted(by: { $0.key < $1.key }) {
            guard case .object(let members) = value, !pool.isEmpty else {
                throw WorkerRefusal("'pools.\(pool)' in '\(path)' must be a table: [pools.NAME]")
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

    /// A table whose members are removed as they are read.
    private struct Table {
        let path: String
        let prefix: String
        var rest: TOMLDocument.Table

        mutating func text(_ key: String) throws -> String? {
            switch rest.removeValue(forKey: key) {
            case nil: return nil
            case .string(let text) where !text.isEmpty: return text
            default: throw refusal(key, "must be a string in quotation marks")
            }
        }

        mutating func texts(_ key: String) throws -> [String] {
            guard let value = rest.removeValue(forKey: key) else { return [] }
            guard let texts = value.arrayValue.map({ $0.compactMap(\.stringValue) }),
                texts.count == value.arrayValue?.count, texts.allSatisfy({ !$0.isEmpty })
            else { throw refusal(key, "must be a list of strings, like [\"a\", \"b\"]") }
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
            throw refusal(key, "is not known; the known keys are \(known)")
        }

        private func refusal(_ key: String, _ problem: String) -> WorkerRefusal {
            WorkerRefusal("'\(prefix)\(key)' in '\(path)' \(problem)")
        }
    }
}

extension [String] {
    /// Each element once, in the order of their first appearance.
    package var withoutRepetitions: [String] {
        reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}
