import Foundation
import JobTemplates
import OrderedCollections
import PrefectJSON
import Testing

/// The recorded inputs and outputs of the Python worker.
enum VectorFile {
    static func load(_ name: String) throws -> JSONValue {
        let url = try #require(Bundle.module.url(forResource: "Vectors/\(name)", withExtension: "json"))
        return try JSONValue(parsing: [UInt8](Data(contentsOf: url)))
    }

    /// The environment in which the outputs were recorded.
    static let environment = ["MY_ENV_VAR": "from-env", "HOME_REGION": "eu-1"]
}

/// Block documents and variables in memory. Every lookup is recorded in `asked`.
actor Lookups: TemplateReferences {
    private let documents: [String: JSONValue]
    private let variables: [String: JSONValue]
    private let failure: (any Error)?
    private(set) var asked: [String] = []

    init(documents: [String: JSONValue] = [:], variables: [String: JSONValue] = [:], failure: (any Error)? = nil) {
        self.documents = documents
        self.variables = variables
        self.failure = failure
    }

    /// The documents and variables with which the outputs were recorded.
    static func recorded() -> Lookups {
        Lookups(
            documents: [
                "secret/tok": ["value": "s3cr3t"],
                "json/cfg": ["value": ["host": "h1", "ports": [80, 81]]],
                "docker-registry-credentials/creds": ["username": "u", "password": "p", "registry_url": "r.io"],
                "6f9619ff-8b86-d011-b42d-00c04fc964ff": ["username": "u", "password": "p"],
            ],
            variables: ["v1": "one", "num": 5, "obj": ["x": 1]])
    }

    private func document(_ key: String) throws -> JSONValue {
        asked.append(key)
        if let failure { throw failure }
        guard let document = documents[key] else { throw ReferenceNotFound() }
        return document
    }

    func blockDocument(id: String) throws -> JSONValue { try document(id) }
    func blockDocument(typeSlug: String, name: String) throws -> JSONValue { try document("\(typeSlug)/\(name)") }

    func variable(named name: String) throws -> JSONValue? {
        asked.append("variable \(name)")
        if let failure { throw failure }
        return variables[name]
    }
}

/// Renders a configuration from the parts of a template.
func render(
    _ configuration: JSONValue, defaults: JSONValue = [:], variables: JSONValue = [:],
    environment: [String: String] = [:], references: any TemplateReferences = Lookups()
) async throws -> JSONValue {
    let properties = (defaults.objectValue ?? [:]).mapValues { JSONValue.object(["default": $0]) }
    let template = try BaseJobTemplate(json: [
        "job_configuration": configuration, "variables": ["properties": .object(properties)],
    ])
    return try await JobRenderer(template: template, environment: environment, references: references)
        .render(jobVariables: variables)
}

/// The error that the body throws.
func templateError(_ body: () async throws -> Void) async throws -> TemplateError {
    do {
        try await body()
    } catch let error as TemplateError {
        return error
    }
    throw NoError()
}

struct NoError: Error {}
