internal import BackendKit
internal import OrderedCollections

/// The body of a job: where its container is, and whether it can be used.
enum CloudRunBody {
    private static let container = ["spec", "template", "spec", "template", "spec"]

    /// Checks the body of version 1, which must be a job of Knative.
    static func checkV1(_ body: JSONValue) throws(InfrastructureError) {
        guard body.objectValue != nil else { throw missing("") }
        for (key, value) in [("apiVersion", "run.googleapis.com/v1"), ("kind", "Job")] {
            guard let found = body[key] else { throw missing("/\(key)") }
            guard found == .string(value) else { throw incompatible("/\(key)", value) }
        }
        let stage = "run.googleapis.com/launch-stage"
        guard let annotations = try member(body, ["metadata", "annotations"]), let found = annotations[stage] else {
            throw missing("/metadata/annotations/\(stage)")
        }
        guard found == "BETA" else { throw incompatible("/metadata/annotations/\(stage)", "BETA") }
        try checkContainers(try member(body, container), "/" + container.joined(separator: "/"))
    }

    /// Checks the body of version 2.
    static func checkV2(_ body: JSONValue) throws(InfrastructureError) {
        try checkContainers(try member(body, ["template", "template"]), "/template/template")
    }

    private static func checkContainers(_ parent: JSONValue?, _ path: String) throws(InfrastructureError) {
        guard let containers = parent?["containers"]?.arrayValue, containers.first?.objectValue != nil else {
            throw missing("\(path)/containers")
        }
    }

    private static func member(_ value: JSONValue, _ path: [String]) throws(InfrastructureError) -> JSONValue? {
        var value = value
        var shown = ""
        for key in path {
            shown += "/\(key)"
            guard let next = value[key], next.objectValue != nil else { throw missing(shown) }
            value = next
        }
        return value
    }

    private static func missing(_ path: String) -> InfrastructureError {
        InfrastructureError(
            .refused,
            "Job is missing required attributes at the following paths: \(path.isEmpty ? "/" : path); add them to "
                + "'job_body' of the base job template")
    }

    private static func incompatible(_ path: String, _ value: String) -> InfrastructureError {
        InfrastructureError(
            .refused,
            "Job has incompatible values for the following attributes: \(path) must have value '\(value)'; correct "
                + "'job_body' of the base job template")
    }

    /// Changes a member at a path, and creates the objects on the way to it.
    static func change(_ value: inout JSONValue, _ path: ArraySlice<String>, _ body: (inout JSONValue) -> Void) {
        guard let key = path.first else { return body(&value) }
        var child = value[key] ?? .null
        if child.objectValue == nil, path.count > 1 { child = [:] }
        change(&child, path.dropFirst(), body)
        if value.objectValue == nil { value = [:] }
        value[key] = child
    }

    /// Changes the first container.
    static func changeContainer(
        _ body: inout JSONValue, _ version: CloudRunVersion, _ edit: (inout JSONValue) -> Void
    ) {
        let path = version == .v1 ? container : ["template", "template"]
        change(&body, (path + ["containers"])[...]) { containers in
            guard var elements = containers.arrayValue, !elements.isEmpty else { return }
            edit(&elements[0])
            containers = .array(elements)
        }
    }

    /// The first container.
    static func firstContainer(_ body: JSONValue, _ version: CloudRunVersion) -> JSONValue {
        let path = version == .v1 ? container : ["template", "template"]
        return path.reduce(body) { $0[$1] ?? .null }["containers"]?[0] ?? .null
    }
}
