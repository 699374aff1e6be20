internal import AWSAccess
internal import BackendKit
internal import Logging
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The task definitions of one place: finds them, and registers each family once at a time.
final class Definitions: Sendable {
    /// A definition to run.
    struct Found: Sendable {
        let arn: String
        /// The definition as it was requested, or as AWS has it when the job names one.
        let json: JSONValue
        /// Whether this call registered it.
        var isNew: Bool
    }

    private struct Description: Sendable {
        let json: JSONValue
        let read: ContinuousClock.Instant
    }

    private let client: AWSClient
    private let place: String
    private let memory: DefinitionMemory
    private let settings: ECSSettings
    private let freshness: Duration
    private let logger: Logger
    private let registrations = KeyedSingleFlight<String, Found>()
    private let descriptions = KeyedSingleFlight<String, JSONValue>()
    private let known = Mutex<[String: Description]>([:])

    /// - Parameter freshness: For how long a description of a definition counts.
    init(
        _ client: AWSClient, place: String, memory: DefinitionMemory, settings: ECSSettings, freshness: Duration,
        logger: Logger
    ) {
        self.client = client
        self.place = place
        self.memory = memory
        self.settings = settings
        self.freshness = freshness
        self.logger = logger
    }

    /// The definition that a job names.
    func named(_ name: String) async throws -> Found {
        Found(arn: name, json: try await describe(name), isNew: false)
    }

    /// A definition that means the same as the wanted one: that of an earlier run, the newest of the family, or a new
    /// one.
    ///
    /// - Parameter subject: The id of the deployment or flow, whose runs have the same definition.
    func find(_ wanted: JSONValue, for subject: String) async throws -> Found {
        let family = wanted["family"]?.stringValue ?? ""
        while true {
            var isOwn = false
            let found = try await registrations.run(family) {
                isOwn = true
                return try await search(wanted, family, key: "\(place) \(subject)")
            }
            if isOwn { return found }
            // Another caller has found a definition of the family, which may differ from this one.
            if found.json == wanted { return Found(arn: found.arn, json: wanted, isNew: false) }
        }
    }

    private func search(_ wanted: JSONValue, _ family: String, key: String) async throws -> Found {
        let fingerprint = DefinitionMemory.fingerprint(wanted)
        func found(_ arn: String, isNew: Bool = false) -> Found {
            memory.set(.init(arn: arn, fingerprint: fingerprint), of: key)
            return Found(arn: arn, json: wanted, isNew: isNew)
        }
        if let entry = memory.entry(key) {
            if let json = await description(of: entry.arn), json["status"] == "ACTIVE",
                entry.fingerprint == fingerprint || Definition.areEqual(json, wanted)
            {
                return found(entry.arn)
            }
            memory.forget(arn: entry.arn)
        }
        if let newest = await description(of: family), newest["status"] == "ACTIVE",
            let arn = newest["taskDefinitionArn"]?.stringValue
        {
            if Definition.areEqual(newest, wanted) { return found(arn) }
            let difference = Definition.difference(newest, wanted) ?? "nothing"
            logger.debug("The newest task definition '\(arn)' differs in '\(difference)'; another is registered")
        }
        let answer = try await client.repeating(settings.registrationRetries).json("RegisterTaskDefinition", wanted)
        guard let arn = answer["taskDefinition"]?["taskDefinitionArn"]?.stringValue else {
            throw RequestFailure(
                .malformed, operation: "ecs:RegisterTaskDefinition", message: "the answer has no ARN",
                mayHaveBeenApplied: true)
        }
        if let json = answer["taskDefinition"] { note(json, as: arn) }
        known.withLock { $0[family] = nil }
        return found(arn, isNew: true)
    }

    // MARK: Descriptions

    /// A definition; `nil` when it does not exist or cannot be read, so that another is registered.
    private func description(of name: String) async -> JSONValue? {
        do {
            return try await describe(name)
        } catch {
            logger.debug("The task definition '\(name)' cannot be read: \(error)")
            return nil
        }
    }

    /// Describes a definition, unless that was done a moment ago.
    func describe(_ name: String) async throws -> JSONValue {
        if let recent = known.withLock({ $0[name] }), recent.read + freshness > .now { return recent.json }
        return try await descriptions.run(name) {
            let answer = try await client.json("DescribeTaskDefinition", ["taskDefinition": .string(name)])
            let json = answer["taskDefinition"] ?? .null
            note(json, as: name)
            return json
        }
    }

    private func note(_ json: JSONValue, as name: String) {
        guard freshness > .zero else { return }
        known.withLock { known in
            if known.count > 500 { known = [:] }
            known[name] = Description(json: json, read: .now)
        }
    }

    /// Forgets a definition that AWS does not run any more.
    func forget(_ arn: String) {
        memory.forget(arn: arn)
        known.withLock { $0 = $0.filter { $0.key != arn && $0.value.json["taskDefinitionArn"]?.stringValue != arn } }
    }

    /// Takes a definition out of use.
    func deregister(_ arn: String) async throws {
        forget(arn)
        _ = try await client.json("DeregisterTaskDefinition", ["taskDefinition": .string(arn)])
    }
}
