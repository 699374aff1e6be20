import PrefectClient

func block(_ client: APIClient) async throws -> String? {
    let document = try await client.readBlockDocument(named: "api-token", ofType: "secret")
    return document.data["value"]?.stringValue
}

func store(_ client: APIClient, _ token: String) async throws {
    let type = try await client.readBlockType(slug: "secret")
    guard let schema = try await client.readMostRecentBlockSchema(ofBlockType: type.id) else { return }
    let document = BlockDocumentCreate(blockSchemaID: schema.id, blockTypeID: type.id) {
        $0.name = "api-token"
        $0.data = ["value": .string(token)]
    }
    do {
        _ = try await client.createBlockDocument(document)
    } catch let error as APIError where error.isConflict {
        let existing = try await client.readBlockDocument(named: "api-token", ofType: "secret")
        try await client.updateBlockDocument(id: existing.id, BlockDocumentUpdate { $0.data = document.data })
    }
}
