import PrefectClient

func variable(_ client: APIClient) async throws -> JSONValue? {
    do {
        _ = try await client.createVariable(VariableCreate(name: "region") { $0.value = "eu-north-1" })
    } catch let error as APIError where error.isConflict {
        try await client.updateVariable(named: "region", VariableUpdate { $0.value = "eu-north-1" })
    }
    return try await client.readVariable(named: "region")?.value
}
