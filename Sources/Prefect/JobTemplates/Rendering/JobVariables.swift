public import OrderedCollections
public import PrefectJSON

/// The job variables of a run: the values that override a base job template's defaults.
public struct JobVariables: Sendable, Hashable {
    /// The variables by name; a name may be a dotted path like `env.FOO`.
    public let values: OrderedDictionary<String, JSONValue>

    /// Reads variables as given; `null` counts as none. Throws when they are not an object.
    public init(_ json: JSONValue?) throws(TemplateError) {
        switch json {
        case nil, .null?: values = [:]
        case .object(let members)?: values = members
        case .some(let other):
            throw TemplateError(
                .malformedJobVariables, path: "job_variables",
                problem: "should be an object but its type is \(other.typeName)",
                remedy: "correct the job variables of the deployment or the run")
        }
    }

    /// The variables of a deployment, overridden by those of a run.
    ///
    /// A run's variable replaces the deployment's. But the entries of two `env` objects are merged, and the run's
    /// entries win.
    public init(deployment: JSONValue?, flowRun: JSONValue?) throws(TemplateError) {
        let base = try JobVariables(deployment).values
        var merged = base.merging(try JobVariables(flowRun).values) { $1 }
        if case .object(let environment)? = base["env"], let overrides = merged["env"] {
            guard case .object(let overrides) = overrides else {
                throw TemplateError(
                    .malformedJobVariables, path: "job_variables.env",
                    problem: "the deployment's value is an object but the run's has the type \(overrides.typeName)",
                    remedy: "give the run's 'env' as an object of names and values")
            }
            merged["env"] = .object(environment.merging(overrides) { $1 })
        }
        values = merged
    }

    /// The variables as JSON.
    public var json: JSONValue { .object(values) }

    /// The variables with dotted names like `env.FOO` expanded into objects.
    ///
    /// Dotted names are expanded first. A plain name is merged over the result where both are objects, and replaces it
    /// otherwise. Throws when a dotted name leads through a value that is not an object.
    public func expanded() throws(TemplateError) -> OrderedDictionary<String, JSONValue> {
        var expanded: OrderedDictionary<String, JSONValue> = [:]
        for (name, value) in values where name.utf8.contains(UInt8(ascii: ".")) {
            let parts = KeyPath.parts(of: name)
            guard parts.count <= JSONValue.maximumDepth else {
                throw TemplateError(
                    .tooDeep, path: "job_variables",
                    problem: "a dotted name has more than \(JSONValue.maximumDepth) parts",
                    remedy: "shorten the name")
            }
            guard expanded.set(value, at: parts[...]) else {
                throw TemplateError(
                    .malformedJobVariables, path: "job_variables.\(name)",
                    problem: "the name refers into a variable that is not an object",
                    remedy: "remove one of the two variables")
            }
        }
        for (name, value) in values where !name.utf8.contains(UInt8(ascii: ".")) {
            if case .object(let dotted)? = expanded[name], case .object(let plain) = value {
                expanded[name] = .object(dotted.deepMerging(plain))
            } else {
                expanded[name] = value
            }
        }
        return expanded
    }
}
