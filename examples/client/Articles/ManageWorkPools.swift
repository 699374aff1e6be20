import PrefectClient

func pool(_ client: APIClient) async throws -> WorkPool {
    _ = try await client.createWorkPool(WorkPoolCreate(name: "local") { $0.type = "process" })
    _ = try await client.createWorkQueue(WorkQueueCreate(name: "urgent") { $0.priority = 1 }, inWorkPool: "local")
    try await client.updateWorkPool(named: "local", WorkPoolUpdate { $0.concurrencyLimit = 10 })
    return try await client.readWorkPool(named: "local")
}

func workers(_ client: APIClient) async throws -> [String] {
    let workers = try await client.readWorkers(forWorkPool: "local", limit: 200)
    return workers.filter { $0.status == .online }.map(\.name)
}
