/// A service of AWS that this program uses: how its requests are written and where they go.
package enum AWSService: String, Sendable, Hashable, CaseIterable {
    /// Elastic Container Service.
    case ecs
    /// Elastic Compute Cloud, for networks.
    case ec2
    /// Security Token Service.
    case sts
    /// Simple Queue Service.
    case sqs
    /// CloudWatch Logs.
    case logs

    /// The form of a service's requests and answers.
    enum Wire: Sendable, Hashable {
        /// JSON, with the operation in a header after this prefix.
        case json(version: String, target: String)
        /// A form with the operation in it, and XML as the answer.
        case query(version: String)
    }

    var wire: Wire {
        switch self {
        case .ecs: .json(version: "1.1", target: "AmazonEC2ContainerServiceV20141113")
        case .logs: .json(version: "1.1", target: "Logs_20140328")
        case .sqs: .json(version: "1.0", target: "AmazonSQS")
        case .ec2: .query(version: "2016-11-15")
        case .sts: .query(version: "2011-06-15")
        }
    }

    /// The service's name in settings for endpoints, such as `AWS_ENDPOINT_URL_ECS`.
    var settingName: String { self == .logs ? "CLOUDWATCH_LOGS" : rawValue.uppercased() }
}
