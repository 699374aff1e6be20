internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON

/// Checks that a definition fits the request that runs it, before AWS refuses it less clearly.
enum Compatibility {
    static func check(_ configuration: ECSConfiguration, with definition: JSONValue) throws(InfrastructureError) {
        if configuration.configuresLogs == true, Definition.isEmpty(definition["executionRoleArn"] ?? .null) {
            throw InfrastructureError(
                .refused,
                "The task definition has no execution role, which 'configure_cloudwatch_logs' needs; set "
                    + "'execution_role_arn'")
        }
        try checkLaunchType(configuration, with: definition)
        try checkSizes(configuration, of: definition)
    }

    private static func checkLaunchType(
        _ configuration: ECSConfiguration, with definition: JSONValue
    ) throws(InfrastructureError) {
        let compatibilities = definition["requiresCompatibilities"]?.arrayValue
        let requiresEC2 = compatibilities?.contains("EC2") ?? false
        let hasStrategy = !configuration.capacityProviders.isEmpty
        let given = configuration.launchType
        if hasStrategy, given != "FARGATE_SPOT" { return }
        if requiresEC2, given == nil { return }
        let type = given ?? "FARGATE"
        if type != "EC2", let compatibilities, !compatibilities.contains("FARGATE") {
            throw InfrastructureError(
                .refused,
                "Task definition does not have 'FARGATE' in 'requiresCompatibilities' and cannot be used with launch type "
                    + "'\(type)'; change 'launch_type', or register the definition for Fargate")
        }
        let mode = definition["networkMode"]?.stringValue ?? "awsvpc"
        if type.hasPrefix("FARGATE"), mode != "awsvpc" {
            throw InfrastructureError(
                .refused,
                "Found network mode '\(mode)', which is not compatible with launch type '\(type)'; use the launch type "
                    + "'EC2' or the network mode 'awsvpc'")
        }
    }

    /// Refuses containers that together need more than the task has.
    private static func checkSizes(
        _ configuration: ECSConfiguration, of definition: JSONValue
    ) throws(InfrastructureError) {
        let overrides = configuration.taskRunRequest["overrides"]
        let containers = definition["containerDefinitions"]?.arrayValue ?? []
        guard containers.count > 1 else { return }
        let flow = configuration.containerName ?? ECSConfiguration.containerName(in: definition)
        for size in ["cpu", "memory"] {
            let whole = overrides?[size].flatMap { Definition.isEmpty($0) ? nil : $0 } ?? definition[size]
            guard let whole, let limit = Int(Definition.text(whole)) else { continue }
            var sum = 0
            for container in containers {
                let name = container["name"]?.stringValue
                let override = overrides?["containerOverrides"]?.arrayValue?.first {
                    ($0["name"]?.stringValue ?? flow) == name
                }
                let own = (override?[size] ?? container[size])?.intValue ?? 0
                sum = sum.addingReportingOverflow(max(0, own)).partialValue
            }
            guard sum > limit else { continue }
            throw InfrastructureError(
                .refused,
                "The containers of the task need \(sum) of \(size) together, and the task has \(limit); lower the job "
                    + "variable '\(size)' or the sizes of the other containers")
        }
    }
}
