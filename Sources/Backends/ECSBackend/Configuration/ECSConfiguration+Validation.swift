internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON

extension ECSConfiguration {
    /// Refuses a configuration from which no task can be made.
    func validate() throws(InfrastructureError) {
        guard case .array? = taskDefinition["containerDefinitions"] ?? .array([]) else {
            throw refusal(
                "The field 'task_definition.containerDefinitions' should be a list; correct the base job template")
        }
        if namedDefinition == nil, taskDefinition.objectValue?.isEmpty ?? true {
            throw refusal(
                "A task definition is missing: give 'task_definition' in the base job template, or the job variable "
                    + "'task_definition_arn'")
        }
        let containers = taskDefinition["containerDefinitions"]?.arrayValue ?? []
        for container in containers where container.objectValue == nil {
            throw refusal("A container in 'task_definition' is no object; correct the base job template")
        }
        if !containers.isEmpty, containers.allSatisfy({ $0["essential"] == false }) {
            throw refusal(
                "At least one container in the task definition must be essential; remove 'essential: false' from one")
        }
        if configuresLogs == true, executionRole == nil, namedDefinition == nil,
            taskDefinition["executionRoleArn"]?.stringValue ?? "" == ""
        {
            throw refusal(
                "The job variable 'configure_cloudwatch_logs' needs a role that may write logs; set 'execution_role_arn'"
            )
        }
        for (key, value) in logOptions where value.stringValue == nil {
            throw RenderedFields([:]).mismatch("cloudwatch_logs_options.\(key)", "a string", value)
        }
        if !logOptions.isEmpty, configuresLogs != true {
            throw refusal(
                "The job variable 'cloudwatch_logs_options' has no effect alone; set 'configure_cloudwatch_logs' to true"
            )
        }
        if networkConfiguration.objectValue?.isEmpty == false, vpcID == nil {
            throw refusal("The job variable 'network_configuration' needs the job variable 'vpc_id'; set it")
        }
        for provider in capacityProviders where provider["capacityProvider"]?.stringValue == nil {
            throw refusal(
                "An entry of 'capacity_provider_strategy' lacks 'capacityProvider'; give each entry capacityProvider, "
                    + "weight and base")
        }
    }

    private func refusal(_ message: String) -> InfrastructureError { InfrastructureError(.refused, message) }

    /// The names of the job variables that have no effect, because other ones or AWS decide.
    var ignoredVariables: [String] {
        var ignored: [String] = []
        func note(_ name: String, if isSet: Bool) { if isSet { ignored.append(name) } }
        let container = taskDefinition["containerDefinitions"]?[0]
        if namedDefinition != nil {
            note("image", if: container?["image"] != nil)
            note("family", if: taskDefinition["family"] != nil)
            note("execution_role_arn", if: executionRole != nil)
            note("configure_cloudwatch_logs", if: configuresLogs != nil)
            note("cloudwatch_logs_options", if: !logOptions.isEmpty)
            note("prefect_api_key_secret_arn", if: apiKeySecret != nil)
            note("prefect_api_auth_string_secret_arn", if: authStringSecret != nil)
            note("auto_deregister_task_definition", if: deregistersDefinition)
            note("match_latest_revision_in_family", if: matchesLatestRevision)
        }
        let prefixIsUsed =
            namedDefinition == nil && configuresLogs == true && logOptions["awslogs-stream-prefix"] == nil
        note("cloudwatch_logs_prefix", if: logPrefix != nil && !prefixIsUsed)
        note("launch_type", if: launchType != nil && launchType != "FARGATE" && !capacityProviders.isEmpty)
        let usesVPC = namedDefinition != nil || Definition.networkMode(of: self) == "awsvpc"
        let isGiven = taskRunRequest["networkConfiguration"] != nil
        note("vpc_id", if: vpcID != nil && (!usesVPC || isGiven && networkConfiguration.objectValue?.isEmpty ?? true))
        note("network_configuration", if: networkConfiguration.objectValue?.isEmpty == false && !usesVPC)
        return ignored
    }
}
