internal import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// The templates for pools without a template of their own.
enum CloudRunTemplate {
    /// The template of `cloud-run` pools.
    static var v1: BaseJobTemplate {
        GoogleTemplate.template(
            [
                "command": "{{ command }}", "env": "{{ env }}", "labels": "{{ labels }}", "name": "{{ name }}",
                "region": "{{ region }}", "credentials": "{{ credentials }}",
                "prefect_api_key_secret": "{{ prefect_api_key_secret }}",
                "prefect_api_auth_string_secret": "{{ prefect_api_auth_string_secret }}", "job_body": bodyV1,
                "timeout": "{{ timeout }}", "keep_job": "{{ keep_job }}",
            ],
            [
                "region": region, "credentials": GoogleTemplate.credentials,
                "prefect_api_key_secret": GoogleTemplate.secret("Prefect API Key Secret", "PREFECT_API_KEY"),
                "prefect_api_auth_string_secret": GoogleTemplate.secret(
                    "Prefect API Auth String Secret", "PREFECT_API_AUTH_STRING"),
                "image": text(
                    "Image Name", "The image of the job's container. By default Prefect's own, of the same version.",
                    example: "docker.io/prefecthq/prefect:3-latest"),
                "cpu": GoogleTemplate.optional(
                    ["pattern": "^(\\d*000)m$", "type": "string"], "CPU",
                    "The processors of the job in thousandths (1000m is one).", examples: ["1000m"]),
                "memory": GoogleTemplate.optional(
                    ["pattern": "^\\d+(?:G|Gi|M|Mi)$", "type": "string"], "Memory",
                    "The memory of the job with its unit: G, Gi, M or Mi.", examples: ["512Mi"]),
                "vpc_connector_name": connector, "service_account_name": serviceAccount,
                "keep_job": GoogleTemplate.nullable(
                    ["type": "boolean"], false, "Keep Job After Completion",
                    "Whether the job is kept after it has ended."),
                "timeout": GoogleTemplate.nullable(
                    ["exclusiveMinimum": 0, "maximum": 3600, "type": "integer"], 600, "Job Timeout",
                    "After how many seconds Cloud Run ends the job (1 to 3600)."),
            ],
            definitions: [
                "GcpCredentials": GoogleTemplate.credentialsBlock,
                "SecretKeySelector": GoogleTemplate.secretSelector,
            ])
    }

    /// The template of `cloud-run-v2` pools.
    static var v2: BaseJobTemplate {
        GoogleTemplate.template(
            [
                "command": "{{ command }}", "env": "{{ env }}", "labels": "{{ labels }}", "name": "{{ name }}",
                "credentials": "{{ credentials }}", "env_from_secrets": "{{ env_from_secrets }}",
                "prefect_api_key_secret": "{{ prefect_api_key_secret }}",
                "prefect_api_auth_string_secret": "{{ prefect_api_auth_string_secret }}",
                "cloudsql_instances": "{{ cloudsql_instances }}", "job_body": bodyV2, "keep_job": "{{ keep_job }}",
                "region": "{{ region }}", "timeout": "{{ timeout }}",
            ], variablesV2,
            definitions: [
                "GcpCredentials": GoogleTemplate.credentialsBlock,
                "SecretKeySelector": GoogleTemplate.secretSelector,
            ])
    }

    private static var variablesV2: OrderedDictionary<String, JSONValue> {
        [
            "credentials": [
                "$ref": "#/definitions/GcpCredentials",
                "description": "The credentials for Google Cloud. By default those of the worker's environment.",
                "title": "GCP Credentials",
            ],
            "region": [
                "default": "us-central1", "description": "The region of the job.", "title": "Region",
                "type": "string",
            ],
            "image": GoogleTemplate.nullable(
                ["type": "string"], "prefecthq/prefect:3-latest", "Image Name", "The image of the job's container."),
            "args": [
                "description": "The arguments after the container's command.", "items": ["type": "string"],
                "title": "Args", "type": "array",
            ],
            "env_from_secrets": [
                "additionalProperties": ["$ref": "#/definitions/SecretKeySelector"],
                "description": "Environment variables whose values are secrets of Google's Secret Manager.",
                "examples": [["ENV_VAR_NAME": ["secret": "SECRET_NAME", "version": "latest"]]],
                "title": "Environment Variables from Secrets", "type": "object",
            ],
            "prefect_api_key_secret": GoogleTemplate.secret(
                "Prefect API Key Secret", "PREFECT_API_KEY", example: "prefect-api-key"),
            "prefect_api_auth_string_secret": GoogleTemplate.secret(
                "Prefect API Auth String Secret", "PREFECT_API_AUTH_STRING", example: "prefect-api-auth-string"),
            "cloudsql_instances": GoogleTemplate.optional(
                ["items": ["type": "string"], "type": "array"], "Cloud SQL Instances",
                "The Cloud SQL instances that the job connects to, as PROJECT:REGION:INSTANCE.", hasDefault: false,
                examples: ["project:region:instance-id"]),
            "keep_job": PoolTemplate.flag(
                false, title: "Keep Job After Completion", "Whether the job is kept after it has ended."),
            "launch_stage": [
                "default": "BETA", "description": "The launch stage of the features that the job uses.",
                "enum": [
                    "ALPHA", "BETA", "GA", "DEPRECATED", "EARLY_ACCESS", "PRELAUNCH", "UNIMPLEMENTED",
                    "LAUNCH_TAG_UNSPECIFIED",
                ],
                "title": "Launch Stage", "type": "string",
            ],
            "max_retries": [
                "default": 0, "description": "How often Cloud Run runs a failed container again.",
                "title": "Max Retries", "type": "integer",
            ],
            "cpu": [
                "default": "1000m", "description": "The processors of the job.", "title": "CPU", "type": "string",
            ],
            "memory": [
                "default": "512Mi", "description": "The memory of the job with its unit: G, Gi, M or Mi.",
                "examples": ["512Mi"], "pattern": "^\\d+(?:G|Gi|M|Mi)$", "title": "Memory", "type": "string",
            ],
            "timeout": [
                "default": 600, "description": "After how many seconds Cloud Run ends the job (1 to 604800).",
                "exclusiveMinimum": 0, "maximum": 604_800, "title": "Job Timeout", "type": "integer",
            ],
            "vpc_connector_name": connector, "service_account_name": serviceAccount,
        ]
    }

    private static let region: JSONValue = [
        "default": "us-central1", "description": "The region of the job.", "examples": ["us-central1"],
        "title": "Region", "type": "string",
    ]

    private static let connector = text(
        "VPC Connector Name", "The connector by which the job reaches a VPC network.")

    private static let serviceAccount = text(
        "Service Account Name",
        "The service account that the job runs as. By default the one of Compute Engine.",
        example: "service-account@example.iam.gserviceaccount.com")

    private static func text(_ title: String, _ description: String, example: String? = nil) -> JSONValue {
        GoogleTemplate.optional(
            ["type": "string"], title, description, examples: example.map { [.string($0)] } ?? [])
    }
}

extension GoogleTemplate {
    /// A variable that may be null and has another default.
    fileprivate static func nullable(
        _ schema: JSONValue, _ value: JSONValue, _ title: String, _ description: String
    ) -> JSONValue {
        var result = optional(schema, title, description)
        result["default"] = value
        return result
    }
}
