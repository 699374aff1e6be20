internal import PrefectJSON

// Requests to EC2 and STS, whose answers are XML.
extension AWSClient {
    /// The ids of the VPCs with these ids, or of the default VPC.
    package func vpcs(ids: [String] = []) async throws -> [String] {
        var parameters = ids.enumerated().map { (name: "VpcId.\($0.offset + 1)", value: $0.element) }
        if ids.isEmpty { parameters = Self.filter("isDefault", "true") }
        return try await pages("DescribeVpcs", parameters, list: "vpcSet", id: "vpcId")
    }

    /// The ids of all subnets of a VPC.
    package func subnets(ofVPC id: String) async throws -> [String] {
        try await pages("DescribeSubnets", Self.filter("vpc-id", id), list: "subnetSet", id: "subnetId")
    }

    private static func filter(_ name: String, _ value: String) -> [(name: String, value: String)] {
        [(name: "Filter.1.Name", value: name), (name: "Filter.1.Value.1", value: value)]
    }

    /// The ids in all pages of a list. A service that repeats pages without end is not followed for ever.
    private func pages(
        _ operation: String, _ parameters: [(name: String, value: String)], list: String, id: String
    ) async throws -> [String] {
        var found: [String] = []
        var token: String?
        for _ in 0..<100 {
            let next = token.map { [(name: "NextToken", value: $0)] } ?? []
            let answer = try await xml(operation, parameters + next)
            found += answer.items(list).compactMap { $0[id]?.text }
            token = answer["nextToken"]?.text
            if token?.isEmpty ?? true { break }
        }
        return found
    }

    /// The ARN of the caller.
    package func callerIdentity() async throws -> String {
        try await xml("GetCallerIdentity", []).first("Arn")?.text ?? "an unknown identity"
    }
}
