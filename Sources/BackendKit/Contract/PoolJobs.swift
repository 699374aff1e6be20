package import JobTemplates
internal import OrderedCollections
package import PrefectClient
public import PrefectJSON

/// The jobs of a pool as its template and its deployments describe them, before any run exists.
public struct PoolJobs: Sendable {
    /// Some fields of a job configuration, and the source of their values.
    public struct Part: Sendable, Hashable {
        /// The rendered fields.
        public let fields: JSONValue
        /// `the template of work pool 'p'`, or the first deployment that differs from it.
        public let source: String
    }

    /// The pool's name.
    public let pool: String
    /// The pool's id, where the API has assigned one.
    public let id: String?
    private let template: BaseJobTemplate
    private let environment: [String: String]
    private let references: any TemplateReferences
    private let readDeployments: @Sendable () async throws -> [Deployment]

    /// The jobs of a pool.
    ///
    /// - Parameters:
    ///   - template: The pool's template, or the one that it will receive.
    ///   - environment: The environment of the worker's process.
    ///   - references: The source of blocks and variables.
    ///   - readDeployments: Reads the pool's deployments, where a backend needs them.
    package init(
        pool: String, id: String? = nil, template: BaseJobTemplate, environment: [String: String],
        references: any TemplateReferences, readDeployments: @escaping @Sendable () async throws -> [Deployment]
    ) {
        self.pool = pool
        self.id = id
        self.template = template
        self.environment = environment
        self.references = references
        self.readDeployments = readDeployments
    }

    /// The distinct values of some fields: from the template alone, and with the job variables of each deployment. The
    /// method skips a template or a deployment that cannot be rendered, because its runs report why they crash. Throws
    /// when the API cannot be read.
    public func parts(_ fields: Set<String>) async throws -> [Part] {
        var found: OrderedDictionary<JSONValue, String> = [:]
        let renderer = JobRenderer(template: reduced(to: fields), environment: environment, references: references)
        func add(_ jobVariables: JSONValue, _ source: String) async throws {
            let variables = JSONValue.object((jobVariables.objectValue ?? [:]).filter { !Self.isEnvironment($0.key) })
            do {
                let rendered = try await renderer.render(jobVariables: variables)
                if found[rendered] == nil { found[rendered] = source }
            } catch let error as TemplateError where error.kind != .lookupFailed {}
        }
        try await add([:], "the template of work pool '\(pool)'")
        for deployment in try await readDeployments() {
            try await add(.object(deployment.jobVariables), "deployment '\(deployment.name)'")
        }
        return found.map { Part(fields: $0.key, source: $0.value) }
    }

    private static func isEnvironment(_ variable: String) -> Bool { variable == "env" || variable.hasPrefix("env.") }

    /// The template with only these fields, so that rendering reads no block that they do not need.
    private func reduced(to fields: Set<String>) -> BaseJobTemplate {
        var variables = template.variables
        let properties = (variables["properties"]?.objectValue ?? [:]).filter { !Self.isEnvironment($0.key) }
        variables["properties"] = .object(properties)
        return BaseJobTemplate(
            jobConfiguration: template.jobConfiguration.filter { fields.contains($0.key) }, variables: variables)
    }
}
