public import JSON
public import JobTemplates
public import PrefectAPI

/// Blocks and variables that a template refers to, read from the API.
public struct APITemplateReferences: TemplateReferences {
    private let api: APIClient
    private let effort: RetryPolicy.Effort

    /// References that are read from an API.
    public init(api: APIClient, effort: RetryPolicy.Effort = .standard) {
        self.api = api
        self.effort = effort
    }

    public func blockDocument(id: String) async throws -> JSONValue {
        try await refusingUnknown { try await api.readBlockDocument(id: id, effort: effort) }
    }

    public func blockDocument(typeSlug: String, name: String) async throws -> JSONValue {
        try await refusingUnknown { try await api.readBlockDocument(typeSlug: typeSlug, name: name, effort: effort) }
    }

    public func variable(named name: String) async throws -> JSONValue? {
        try await api.readVariable(named: name, effort: effort)
    }

    private func refusingUnknown(_ read: () async throws -> JSONValue) async throws -> JSONValue {
        do {
            return try await read()
        } catch let error as APIError where error.isNotFound {
            throw ReferenceNotFound()
        }
    }
}
