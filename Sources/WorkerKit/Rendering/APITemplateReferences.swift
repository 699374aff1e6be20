internal import FoundationEssentials
internal import JobTemplates
internal import OrderedCollections
package import PrefectClient
package import PrefectJSON

/// Blocks and variables that a template refers to, read from the API.
package struct APITemplateReferences: TemplateReferences {
    private let api: APIClient
    private let effort: RetryPolicy.Effort

    /// References that are read from an API.
    package init(api: APIClient, effort: RetryPolicy.Effort = .standard) {
        self.api = api
        self.effort = effort
    }

    package func blockDocument(id: String) async throws -> JSONValue {
        try await refusingUnknown { try await .object(api.readBlockDocument(id: UUID(id: id), effort: effort).data) }
    }

    package func blockDocument(typeSlug: String, name: String) async throws -> JSONValue {
        try await refusingUnknown {
            try await .object(api.readBlockDocument(named: name, ofType: typeSlug, effort: effort).data)
        }
    }

    package func variable(named name: String) async throws -> JSONValue? {
        try await api.readVariable(named: name, effort: effort).map { $0["value"] ?? .null }
    }

    private func refusingUnknown(_ read: () async throws -> JSONValue) async throws -> JSONValue {
        do {
            return try await read()
        } catch let error as APIError where error.isNotFound {
            throw ReferenceNotFound()
        }
    }
}
