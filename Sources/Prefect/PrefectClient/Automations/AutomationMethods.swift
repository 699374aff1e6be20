public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Creates an automation: `POST /automations/`. Names are not unique.
    ///
    /// - Returns: The id of the automation.
    public func createAutomation(
        _ automation: AutomationCore, effort: RetryPolicy.Effort = .standard
    ) async throws -> UUID {
        try await createdID(.post, ["automations", ""], body: automation.withDefaults, effort: effort)
    }

    /// Reads an automation: `GET /automations/{id}`.
    public func readAutomation(id: UUID, effort: RetryPolicy.Effort = .standard) async throws -> Automation {
        try await read(.get, ["automations", .uuid(id)], effort: effort)
    }

    /// Reads automations, at most 200: `POST /automations/filter`. ``Pages`` reads more.
    ///
    /// - Parameter limit: The number of automations to read; `nil` means the server's limit, 200.
    public func readAutomations(
        automations: AutomationFilter? = nil, sort: AutomationSort? = nil, limit: Int? = nil, offset: Int = 0,
        effort: RetryPolicy.Effort = .standard
    ) async throws -> [Automation] {
        let body: JSONValue = [
            "automations": automations.orNull, "sort": sort.orNull, "limit": limit.orNull, "offset": .int(offset),
        ]
        return try await read(.post, ["automations", "filter"], body: body, effort: effort)
    }

    /// Reads the automations of a name, the last changed first, at most 200: `POST /automations/filter`.
    public func readAutomations(
        named name: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> [Automation] {
        let body: JSONValue = [
            "sort": AutomationSort.updatedDescending.jsonValue, "automations": ["name": ["any_": [.string(name)]]],
        ]
        return try await read(.post, ["automations", "filter"], body: body, effort: effort)
    }

    /// Finds an automation by its id or its name.
    ///
    /// An id is read by `GET /automations/{id}`; an unknown one is an error with ``APIError/isNotFound``. A name is
    /// compared with those of all automations, by `POST /automations/filter`. An equal name is preferred to one that
    /// differs in case.
    ///
    /// - Returns: The automation; `nil` when none has this name.
    public func findAutomation(
        _ idOrName: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> Automation? {
        if let id = UUID(uuidString: idOrName) { return try await readAutomation(id: id, effort: effort) }
        var similar: Automation?
        var offset = 0
        while true {
            let page = try await readAutomations(offset: offset, effort: effort)
            if let equal = page.first(where: { $0.name == idOrName }) { return equal }
            similar = similar ?? page.first { $0.name.lowercased() == idOrName.lowercased() }
            offset += page.count
            // A page that has fewer elements than the API's limit is the last.
            if page.count < 200 { return similar }
        }
    }

    /// Replaces an automation: `PUT /automations/{id}`. Members that were never assigned get their defaults.
    public func updateAutomation(
        id: UUID, _ automation: AutomationCore, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.put, ["automations", .uuid(id)], body: automation.jsonValue, effort: effort)
    }

    /// Disables an automation: `PATCH /automations/{id}`.
    public func pauseAutomation(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.patch, ["automations", .uuid(id)], body: ["enabled": false], effort: effort)
    }

    /// Enables an automation: `PATCH /automations/{id}`.
    public func resumeAutomation(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.patch, ["automations", .uuid(id)], body: ["enabled": true], effort: effort)
    }

    /// Reads the automations that concern a resource: `GET /automations/related-to/{resource_id}`.
    ///
    /// - Parameter resourceID: The resource, such as `prefect.deployment.<id>`.
    public func readAutomations(
        relatedTo resourceID: String, effort: RetryPolicy.Effort = .standard
    ) async throws -> [Automation] {
        try await read(.get, ["automations", "related-to", .name(resourceID)], effort: effort)
    }

    /// Deletes the automations that a resource owns: `DELETE /automations/owned-by/{resource_id}`.
    ///
    /// - Parameter resourceID: The resource, such as `prefect.deployment.<id>`.
    public func deleteAutomations(
        ownedBy resourceID: String, effort: RetryPolicy.Effort = .standard
    ) async throws {
        try await perform(.delete, ["automations", "owned-by", .name(resourceID)], effort: effort)
    }

    /// Deletes an automation: `DELETE /automations/{id}`.
    public func deleteAutomation(id: UUID, effort: RetryPolicy.Effort = .standard) async throws {
        try await perform(.delete, ["automations", .uuid(id)], effort: effort)
    }
}
