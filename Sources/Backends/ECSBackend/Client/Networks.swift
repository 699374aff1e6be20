internal import AWSAccess
internal import BackendKit
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The networks of an account, which tasks without a network of their own get.
final class Networks: Sendable {
    private let client: AWSClient
    private let freshness: Duration
    private let known = Mutex<[String: (subnets: [String], read: ContinuousClock.Instant)]>([:])
    private let flights = KeyedSingleFlight<String, [String]>()

    /// - Parameter freshness: For how long the subnets of a VPC count.
    init(_ client: AWSClient, freshness: Duration) {
        self.client = client
        self.freshness = freshness
    }

    /// The network of a task: as configured within its VPC, or else all subnets of the VPC.
    func network(vpc: String?, configured: JSONValue) async throws -> JSONValue {
        let subnets = try await self.subnets(of: vpc)
        guard configured.objectValue?.isEmpty == false else {
            return [
                "awsvpcConfiguration": [
                    "subnets": .array(subnets.map { .string($0) }), "assignPublicIp": "ENABLED", "securityGroups": [],
                ]
            ]
        }
        let wanted = (configured["subnets"]?.arrayValue ?? []).compactMap(\.stringValue)
        let missing = wanted.filter { !subnets.contains($0) }
        guard missing.isEmpty else {
            throw InfrastructureError(
                .refused,
                "Subnets \(missing) not found within \(Self.name(vpc)); correct the job variable "
                    + "'network_configuration' or 'vpc_id'")
        }
        return ["awsvpcConfiguration": configured]
    }

    /// The subnets of a VPC, or of the default one.
    func subnets(of vpc: String?) async throws -> [String] {
        let key = vpc ?? ""
        if let recent = known.withLock({ $0[key] }), recent.read + freshness > .now { return recent.subnets }
        return try await flights.run(key) {
            guard let id = try await self.vpc(vpc) else {
                throw InfrastructureError(
                    .refused,
                    "Failed to find \(Self.name(vpc)). "
                        + (vpc == nil
                            ? "Pass an explicit `vpc_id` or configure a default VPC"
                            : "Check that the VPC exists in the current region"))
            }
            let subnets = try await client.subnets(ofVPC: id)
            guard !subnets.isEmpty else {
                throw InfrastructureError(
                    .refused, "Failed to find subnets for \(Self.name(vpc)); add a subnet, or choose another `vpc_id`")
            }
            if freshness > .zero { known.withLock { $0[key] = (subnets, .now) } }
            return subnets
        }
    }

    private func vpc(_ id: String?) async throws -> String? {
        do {
            return try await client.vpcs(ids: id.map { [$0] } ?? []).first
        } catch let failure as RequestFailure where failure.reason.code.hasPrefix("InvalidVpcID") {
            return nil
        }
    }

    private static func name(_ vpc: String?) -> String { vpc.map { "VPC with ID \($0)" } ?? "the default VPC" }
}
