import FoundationEssentials
import PrefectClient

func lease(_ client: APIClient, _ work: () async throws -> Void) async throws {
    try await client.upsertGlobalConcurrencyLimit(named: "database", limit: 4)
    let lease = try await client.incrementConcurrencySlotsWithLease(
        names: ["database"], slots: 1, leaseDuration: .seconds(60))
    do {
        try await work()
    } catch {
        try await client.releaseConcurrencySlotsWithLease(id: lease.leaseID)
        throw error
    }
    try await client.releaseConcurrencySlotsWithLease(id: lease.leaseID)
}

func slot(_ client: APIClient) async throws {
    while true {
        do {
            try await client.incrementConcurrencySlots(names: ["database"], slots: 1)
            return
        } catch let error as APIError where error.isLocked {
            try await Task.sleep(for: error.retryAfter ?? .seconds(1))
        }
    }
}
