import FoundationEssentials
import PrefectClient

func logs(_ client: APIClient, _ id: UUID) async throws -> [Log] {
    let line = LogCreate(name: "swift", level: 30, message: "disk is almost full", timestamp: .now) {
        $0.flowRunID = id
    }
    try await client.createLogs([line])
    let warnings = LogFilter(level: .atLeast(30), flowRunID: .equals(id))
    return try await client.readLogs(logs: warnings, sort: .timestampDescending, limit: 50)
}
