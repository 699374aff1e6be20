internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The template of `ecs` pools.
enum ECSTemplate {
    static let template = BaseJobTemplate(
        jobConfiguration: configuration,
        variables: [
            "description": "Variables for the jobs of an ecs work pool.", "type": "object",
            "properties": .object(common.merging(ECSVariables.all) { $1 }), "definitions": AWSBlock.definitions,
        ])

    private static let common: OrderedDictionary<String, JSONValue> = {
        let template = PoolTemplate.template(own: [:])
        return template.variables["properties"]?.objectValue ?? [:]
    }()

    private static let configuration: OrderedDictionary<String, JSONValue> = {
        var fields: OrderedDictionary<String, JSONValue> = [:]
        func take(_ names: String...) { for name in names { fields[name] = .string("{{ \(name) }}") } }
        take("command", "env", "labels", "name", "aws_credentials")
        fields["task_definition"] = [
            "containerDefinitions": [["image": "{{ image }}", "name": "{{ container_name }}"]], "cpu": "{{ cpu }}",
            "executionRoleArn": "{{ execution_role_arn }}", "family": "{{ family }}", "memory": "{{ memory }}",
        ]
        fields["task_run_request"] = [
            "capacityProviderStrategy": "{{ capacity_provider_strategy }}", "cluster": "{{ cluster }}",
            "launchType": "{{ launch_type }}",
            "overrides": [
                "containerOverrides": [
                    [
                        "command": "{{ command }}", "cpu": "{{ cpu }}", "environment": "{{ env }}",
                        "memory": "{{ memory }}", "name": "{{ container_name }}",
                    ]
                ],
                "cpu": "{{ cpu }}", "memory": "{{ memory }}", "taskRoleArn": "{{ task_role_arn }}",
            ],
            "tags": "{{ labels }}", "taskDefinition": "{{ task_definition_arn }}",
        ]
        take("configure_cloudwatch_logs", "cloudwatch_logs_options", "cloudwatch_logs_prefix", "network_configuration")
        fields["stream_output"] = false
        fields["task_start_timeout_seconds"] = 0
        fields["task_watch_poll_interval"] = 0
        take(
            "auto_deregister_task_definition", "vpc_id", "container_name", "cluster", "match_latest_revision_in_family",
            "prefect_api_key_secret_arn", "prefect_api_auth_string_secret_arn", "execution_role_arn")
        return fields
    }()
}

/// The variables for the jobs of an `ecs` pool.
private enum ECSVariables {
    static let all: OrderedDictionary<String, JSONValue> = [
        "task_definition_arn": text(
            "Task Definition ARN",
            "An existing task definition. The worker then registers none, and the variables of a definition have no effect."
        ),
        "aws_credentials": [
            "$ref": "#/definitions/AwsCredentials", "title": "AWS Credentials",
            "description": "The credentials for ECS. By default those of the worker's surroundings.",
        ],
        "cluster": text("Cluster", "The name or the ARN of the cluster. By default the account's default cluster."),
        "family": text(
            "Family", "The family of the task definition. By default named after the pool and the deployment."),
        "launch_type": [
            "default": "FARGATE", "enum": ["FARGATE", "EC2", "EXTERNAL", "FARGATE_SPOT"], "title": "Launch Type",
            "type": "string",
            "description": "The kind of machines. FARGATE_SPOT uses the capacity provider of this name.",
        ],
        "capacity_provider_strategy": [
            "description": "The capacity providers that share the tasks. With them, the launch type has no effect.",
            "items": ["$ref": "#/definitions/CapacityProvider"], "title": "Capacity Provider Strategy", "type": "array",
        ],
        "image": text("Image", "The image of the flow's container. By default Prefect's own, of the same version."),
        "cpu": number("CPU", "CPU units of the task, 1024 for a whole CPU. By default 1024."),
        "memory": number("Memory", "Memory of the task in MiB. By default 2048."),
        "container_name": text(
            "Container Name", "The flow's container. By default `prefect`, or the first one of the task definition."),
        "prefect_api_key_secret_arn": text(
            "Prefect API Key Secret ARN", "The secret of AWS with the API key, which then is in no request in clear."),
        "prefect_api_auth_string_secret_arn": text(
            "Prefect API Auth String Secret ARN",
            "The secret of AWS with the auth string, which then is in no request in clear."),
        "task_role_arn": text("Task Role ARN", "The role with the permissions of the flow."),
        "execution_role_arn": text(
            "Execution Role ARN", "The role with which ECS pulls the image, reads secrets and writes logs."),
        "vpc_id": text(
            "VPC ID",
            "The network of tasks with the network mode awsvpc, such as those of Fargate. By default the default VPC."),
        "configure_cloudwatch_logs": PoolTemplate.optional(
            ["type": "boolean"], title: "Configure Cloudwatch Logs",
            "Whether the output of the flow goes to CloudWatch. It needs an execution role that may write logs."),
        "cloudwatch_logs_options": [
            "additionalProperties": ["type": "string"], "title": "Cloudwatch Logs Options", "type": "object",
            "description": "Further options of the log driver awslogs.",
        ],
        "cloudwatch_logs_prefix": text(
            "Cloudwatch Logs Prefix",
            "The beginning of the names of log streams. By default named after pool and deployment."),
        "network_configuration": [
            "additionalProperties": true, "title": "Network Configuration", "type": "object",
            "description":
                "The awsvpcConfiguration of the tasks: subnets, securityGroups, assignPublicIp. It needs a VPC ID.",
        ],
        "auto_deregister_task_definition": PoolTemplate.flag(
            false, title: "Auto Deregister Task Definition",
            "Whether a task definition that the worker registered goes out of use after the run."),
        "match_latest_revision_in_family": PoolTemplate.flag(
            false, title: "Match Latest Revision In Family",
            "Whether the newest definition of the family is used if it is the same. This worker always does that."),
    ]

    private static func text(_ title: String, _ description: String) -> JSONValue {
        PoolTemplate.optional(["type": "string"], title: title, description)
    }

    private static func number(_ title: String, _ description: String) -> JSONValue {
        PoolTemplate.optional(["type": "integer"], title: title, description)
    }
}

/// The schemas of the block `aws-credentials` and of a capacity provider.
private enum AWSBlock {
    static let definitions: JSONValue = [
        "AssumeRoleParameters": object(
            "AssumeRoleParameters", "Further parameters of the request for the role.",
            [
                "RoleSessionName": text("Role Session Name", "The name of the session. By default a random one."),
                "DurationSeconds": PoolTemplate.optional(
                    ["type": "integer"], title: "Duration Seconds", "For how long the keys are valid, 900 to 43200."),
                "Policy": text("Policy", "A policy in JSON that narrows the role's permissions."),
                "PolicyArns": list("Policy ARNs", "Policies that narrow the role's permissions, each with an arn."),
                "Tags": list("Tags", "Tags of the session, each with Key and Value."),
                "TransitiveTagKeys": PoolTemplate.optional(
                    ["items": ["type": "string"], "type": "array"], title: "Transitive Tag Keys",
                    "The keys of tags that further sessions keep."),
                "ExternalId": text("External ID", "The id that the role's trust policy requires."),
                "SerialNumber": text("Serial Number", "The device of the caller for one-time codes."),
                "TokenCode": text("Token Code", "A one-time code of that device."),
                "SourceIdentity": text("Source Identity", "The identity of the caller for audits."),
                "ProvidedContexts": list("Provided Contexts", "Contexts, each with ProviderArn and ContextAssertion."),
            ]),
        "AwsClientParameters": object(
            "AwsClientParameters", "How the services of AWS are reached.",
            [
                "api_version": text("API Version", "Has no effect: this worker uses one version of each service."),
                "use_ssl": PoolTemplate.flag(true, title: "Use SSL", "Whether connections use TLS."),
                "verify": [
                    "anyOf": [["type": "boolean"], ["format": "file-path", "type": "string"], ["type": "null"]],
                    "default": nil, "description": "Whether the certificates of services are checked.",
                    "title": "Verify",
                ],
                "verify_cert_path": PoolTemplate.optional(
                    ["format": "file-path", "type": "string"], title: "Certificate Authority Bundle File Path",
                    "The trusted authorities."),
                "endpoint_url": text("Endpoint URL", "The URL of the services."),
                "config": PoolTemplate.optional(
                    ["additionalProperties": true, "type": "object"], title: "Botocore Config",
                    "Has no effect: it configures the Python library."),
            ]),
        "AwsCredentials": block,
        "CapacityProvider": [
            "description": "A capacity provider and its share of the tasks.", "title": "CapacityProvider",
            "type": "object", "required": ["capacityProvider", "weight", "base"],
            "properties": [
                "capacityProvider": ["title": "Capacityprovider", "type": "string"],
                "weight": ["title": "Weight", "type": "integer"], "base": ["title": "Base", "type": "integer"],
            ],
        ],
    ]

    private static var block: JSONValue {
        var block = object(
            "AwsCredentials", "Keys for AWS, or the way to them.",
            [
                "aws_access_key_id": text("AWS Access Key ID", "The public part of the keys."),
                "aws_secret_access_key": PoolTemplate.optional(
                    ["format": "password", "type": "string", "writeOnly": true], title: "AWS Access Key Secret",
                    "The secret part of the keys."),
                "aws_session_token": text("AWS Session Token", "The token of temporary keys."),
                "profile_name": text("Profile Name", "A profile on the worker's host, if the worker allows that."),
                "region_name": text("Region Name", "The region."),
                "aws_client_parameters": [
                    "$ref": "#/definitions/AwsClientParameters", "title": "AWS Client Parameters",
                    "description": "How the services are reached.",
                ],
                "assume_role_arn": text("Assume Role ARN", "A role to assume with these keys."),
                "assume_role_kwargs": [
                    "$ref": "#/definitions/AssumeRoleParameters", "title": "Assume Role Parameters",
                    "description": "Further parameters of the request for the role.",
                ],
            ])
        block["block_schema_references"] = [:]
        block["block_type_slug"] = "aws-credentials"
        block["secret_fields"] = ["aws_secret_access_key"]
        return block
    }

    private static func object(
        _ title: String, _ description: String, _ properties: OrderedDictionary<String, JSONValue>
    ) -> JSONValue {
        [
            "description": .string(description), "properties": .object(properties), "title": .string(title),
            "type": "object",
        ]
    }

    private static func text(_ title: String, _ description: String) -> JSONValue {
        PoolTemplate.optional(["type": "string"], title: title, description)
    }

    private static func list(_ title: String, _ description: String) -> JSONValue {
        PoolTemplate.optional(
            ["items": ["additionalProperties": ["type": "string"], "type": "object"], "type": "array"], title: title,
            description)
    }
}
