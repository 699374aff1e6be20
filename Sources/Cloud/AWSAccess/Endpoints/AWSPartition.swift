/// A group of regions with accounts and names of their own.
package struct AWSPartition: Sendable, Hashable {
    /// The name in ARNs, such as `aws-cn`.
    package let name: String
    /// The end of the host names of services.
    let suffix: String
    /// The end of the host names that IPv4 and IPv6 reach; `nil` where there are none.
    let dualStackSuffix: String?
    /// The host of the console; `nil` where the console is out of public reach.
    let consoleHost: String?

    private init(_ name: String, _ suffix: String, dualStack: String? = nil, console: String? = nil) {
        self.name = name
        self.suffix = suffix
        dualStackSuffix = dualStack
        consoleHost = console
    }

    private static let standard = AWSPartition(
        "aws", "amazonaws.com", dualStack: "api.aws", console: "console.aws.amazon.com")

    /// The partitions by the beginnings of their regions' names.
    private static let special: [(prefix: String, partition: AWSPartition)] = [
        (
            "cn-",
            AWSPartition(
                "aws-cn", "amazonaws.com.cn", dualStack: "api.amazonwebservices.com.cn", console: "console.amazonaws.cn"
            )
        ),
        (
            "us-gov-",
            AWSPartition("aws-us-gov", "amazonaws.com", dualStack: "api.aws", console: "console.amazonaws-us-gov.com")
        ),
        ("eusc-", AWSPartition("aws-eusc", "amazonaws.eu", dualStack: "api.amazonwebservices.eu")),
        ("us-isob-", AWSPartition("aws-iso-b", "sc2s.sgov.gov", dualStack: "api.aws")),
        ("us-isof-", AWSPartition("aws-iso-f", "csp.hci.ic.gov")),
        ("us-iso-", AWSPartition("aws-iso", "c2s.ic.gov", dualStack: "api.aws")),
        ("eu-isoe-", AWSPartition("aws-iso-e", "cloud.adc-e.uk")),
    ]

    /// The partition of a region. Regions without a partition of their own are in the standard one.
    package static func of(region: String) -> AWSPartition {
        special.first { region.hasPrefix($0.prefix) }?.partition ?? standard
    }
}
