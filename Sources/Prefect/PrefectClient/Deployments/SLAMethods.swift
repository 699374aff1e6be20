public import FoundationEssentials
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON

extension APIClient {
    /// Replaces the service level agreements of a deployment on Prefect Cloud:
    /// `POST /slas/apply-resource-slas/prefect.deployment.{id}`. A server has no such route and answers 404.
    ///
    /// - Returns: The names of the agreements that were created, updated and deleted.
    public func applySLAs(
        forDeployment id: UUID, _ agreements: [ServiceLevelAgreement], effort: RetryPolicy.Effort = .standard
    ) async throws -> SlaMergeResponse {
        let resource = "prefect.deployment.\(id.text)"
        let body = agreements.map { agreement in
            var json = agreement.jsonValue
            json["owner_resource"] = .string(resource)
            return json
        }
        let answer = try await send(
            APIRequest(.post, ["slas", "apply-resource-slas", .name(resource)], body: .array(body)), effort: effort)
        let changes: OrderedDictionary<String, JSONValue> = try answer.value()
        let names = changes.mapValues { change in
            JSONValue.array((change.arrayValue ?? []).map { $0["name"] ?? $0 })
        }
        return try answer.value(from: .object(names))
    }
}
