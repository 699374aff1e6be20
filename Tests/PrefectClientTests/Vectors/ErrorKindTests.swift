import PrefectClient
import Testing

/// Every member reports the same kinds of errors by the same properties. Prefect's own client does so in some members.
@Suite struct ErrorKindTests {
    /// Members that do not report each error: they return it, read it as nothing, or end with an error of their own.
    private static let others: Set = ["read_variable_by_name", "api_healthcheck", "raise_for_api_version_mismatch"]

    /// A vector with a request for each member, preferably one with a result.
    private static let vectors: [Vector] = {
        var found: [String: Vector] = [:]
        for vector in Vector.all where !vector.requests.isEmpty && !others.contains(vector.member) {
            if found[vector.member] == nil || vector.json["error"] == nil { found[vector.member] = vector }
        }
        return found.values.sorted { $0.id < $1.id }
    }()

    @Test(arguments: [404, 409, 423])
    func everyMemberReads(status: Int) async throws {
        let answers = ScriptedAnswers()
        let client = try answers.client()
        answers.play { _ in APITransportAnswer(status: status, body: Array(#"{"detail":"no"}"#.utf8)) }
        var count = 0
        for vector in Self.vectors {
            guard let call = VectorTable.calls[vector.member] else { continue }
            count += 1
            let error = await apiError { _ = try await call(client, vector.arguments) }
            let kinds = [error?.isNotFound, error?.isConflict, error?.isLocked]
            #expect(kinds == [status == 404, status == 409, status == 423], "\(vector.id)")
            #expect(error?.status == status, "\(vector.id)")
        }
        #expect(count > 60)
    }
}
