import FoundationEssentials
import PrefectClient

func events(_ client: APIClient) async throws -> Int {
    let event = EventCreate(
        occurred: .now, event: "warehouse.filled", resource: ["prefect.resource.id": "warehouse.oslo"], id: UUID())
    try await client.createEvents([event])
    let filter = EventFilter { $0.resource = EventResourceFilter { $0.id = ["warehouse.oslo"] } }
    var count = 0
    for try await _ in client.allEvents(filter) { count += 1 }
    return count
}
