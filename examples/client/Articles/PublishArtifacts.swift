import PrefectClient

func artifacts(_ client: APIClient) async throws -> [ArtifactCollection] {
    let report = ArtifactCreate {
        $0.key = "daily-report"
        $0.type = "table"
        $0.data = [["city": "Oslo", "orders": 12], ["city": "Bergen", "orders": 7]]
    }
    let artifact = try await client.createArtifact(report)
    try await client.createEvents([.artifactCreated(artifact)])
    let reports = ArtifactCollectionFilter(key: .like("report"))
    return try await client.readLatestArtifacts(artifacts: reports, sort: .keyAscending)
}
