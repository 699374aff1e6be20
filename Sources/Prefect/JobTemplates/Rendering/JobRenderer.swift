internal import OrderedCollections
public import PrefectJSON

/// Renders job configurations from a base job template.
public struct JobRenderer: Sendable {
    private let template: BaseJobTemplate
    private let environment: [String: String]
    private let references: any TemplateReferences
    private let budget: Int

    /// Creates a renderer.
    ///
    /// - Parameters:
    ///   - environment: The worker's own environment, for placeholders like `{{ $HOME }}`.
    ///   - references: The source of block documents and variables.
    ///   - budget: The most bytes that the placeholders of a configuration may expand to in all.
    public init(
        template: BaseJobTemplate, environment: [String: String], references: any TemplateReferences,
        budget: Int = 32 << 20
    ) {
        self.budget = budget
        self.template = template
        self.environment = environment
        self.references = references
    }

    /// The job configuration for a run: an object with the template's keys in their order, without those that have no
    /// value.
    ///
    /// `jobVariables` (an object; see ``JobVariables``) overrides the variables' defaults, and `env` entry by entry.
    /// Block documents and variables are read only if the result needs them, each once. Throws a ``TemplateError`` that
    /// names the key, or `CancellationError`.
    public func render(jobVariables: JSONValue) async throws -> JSONValue {
        var budget = RenderBudget(limit: budget)
        let filled = try fill(try JobVariables(jobVariables), within: &budget)
        var resolver = ReferenceResolver(references, budget: budget)
        let withBlocks = try await resolver.resolveBlocks(in: filled, at: .jobConfiguration)
        return try await resolver.resolveVariables(in: withBlocks, at: .jobConfiguration)
    }

    /// The configuration with the job variables filled in; blocks and variables are still placeholders.
    private func fill(
        _ jobVariables: JobVariables, within budget: inout RenderBudget
    ) throws(TemplateError) -> JSONValue {
        var configuration = template.jobConfiguration
        let defaults = template.variableDefaults
        // A template's fixed `env` keeps its entries under the defaults. A placeholder is replaced by the defaults.
        if let environment = defaults["env"], environment.isPythonTrue {
            if case .object(let fixed)? = configuration["env"] {
                configuration["env"] = .object(try Self.merge(environment, over: fixed))
            } else {
                configuration["env"] = environment
            }
        }
        let values = defaults.merging(try jobVariables.expanded()) { $1 }
        if case .object(let fixed)? = configuration["env"], let environment = values["env"], environment.isPythonTrue {
            configuration["env"] = .object(try Self.merge(environment, over: fixed))
        }
        var application = ValueApplication(values: .object(values), environment: environment, budget: budget)
        defer { budget = application.budget }
        return try application.apply(to: .object(configuration), at: .jobConfiguration) ?? .object([:])
    }

    private static func merge(
        _ environment: JSONValue, over fixed: OrderedDictionary<String, JSONValue>
    ) throws(TemplateError) -> OrderedDictionary<String, JSONValue> {
        guard case .object(let entries) = environment else {
            throw TemplateError(
                .malformedJobVariables, path: "job_configuration.env",
                problem: "is an object, and a job variable of type \(environment.typeName) cannot be merged into it",
                remedy: "give the job variable 'env' as an object of names and values")
        }
        return fixed.merging(entries) { $1 }
    }
}

extension JSONValue {
    /// Whether Python treats the value as true: not null, false, zero or empty.
    var isPythonTrue: Bool {
        switch self {
        case .null: false
        case .bool(let value): value
        case .int(let value): value != 0
        case .bigInteger: true
        case .double(let value): value != 0
        case .string(let text): !text.isEmpty
        case .array(let elements): !elements.isEmpty
        case .object(let members): !members.isEmpty
        }
    }
}
