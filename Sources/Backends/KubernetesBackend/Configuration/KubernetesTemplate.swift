internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

extension KubernetesBackend {
    /// The template of `kubernetes` pools: the common variables, those of the job and its pod, and the job's manifest.
    static func defaultTemplate() -> BaseJobTemplate {
        let variables = KubernetesVariables.all
        var template = PoolTemplate.template(
            fields: [.command, .env, .labels, .name], variables: [.name, .env, .labels, .command],
            own: variables.filter { KubernetesVariables.fields.contains($0.key) })
        var configuration: OrderedDictionary<String, JSONValue> = [:]
        for (key, value) in template.jobConfiguration {
            configuration[key] = value
            // The manifest follows the namespace.
            if key == "namespace" { configuration["job_manifest"] = KubernetesVariables.manifest }
        }
        var properties = template.variables["properties"]?.objectValue ?? [:]
        for key in KubernetesVariables.fields { properties[key] = nil }
        properties.merge(variables) { $1 }
        template = BaseJobTemplate(
            jobConfiguration: configuration,
            variables: [
                "properties": .object(properties), "type": "object",
                "definitions": ["KubernetesClusterConfig": KubernetesVariables.clusterBlock],
            ])
        return template
    }
}

/// The variables for the jobs of a `kubernetes` pool.
private enum KubernetesVariables {
    /// The variables that are fields of the job configuration as well.
    static let fields = [
        "annotations", "namespace", "cluster_config", "job_watch_timeout_seconds", "pod_watch_timeout_seconds",
        "stream_output",
    ]

    static let all: OrderedDictionary<String, JSONValue> = [
        "annotations": [
            "additionalProperties": ["type": "string"],
            "description": "Annotations for the jobs and pods of flow runs.", "title": "Annotations", "type": "object",
        ],
        "namespace": [
            "default": "default", "description": "The namespace that the jobs of flow runs are created in.",
            "title": "Namespace", "type": "string",
        ],
        "image": optional(
            "Image", "string", "The container image that flows run in. By default Prefect's own, of the same version."),
        "service_account_name": optional(
            "Service Account Name", "string", "The service account that the pods of flow runs have."),
        "image_pull_policy": [
            "default": "IfNotPresent", "description": "When the image is pulled.",
            "enum": ["IfNotPresent", "Always", "Never"], "title": "Image Pull Policy", "type": "string",
        ],
        "backoff_limit": [
            "default": 0,
            "description":
                "How often Kubernetes runs a failed job again. With 0 a flow whose pod is evicted gives its run back to be scheduled anew, unless PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR says otherwise; with more, the run is left to Kubernetes.",
            "minimum": 0, "title": "Backoff Limit", "type": "integer",
        ],
        "finished_job_ttl": optional(
            "Finished Job TTL", "integer",
            "After how many seconds Kubernetes removes a job that has ended. By default it stays."),
        "job_watch_timeout_seconds": optional(
            "Job Watch Timeout Seconds", "integer",
            "After how many seconds without news of a job the worker asks for its state. By default it relies on its watch."
        ),
        "pod_watch_timeout_seconds": [
            "default": 60,
            "description": "After how many seconds a pod that has not begun is worth a warning in the run's log.",
            "title": "Pod Watch Timeout Seconds", "type": "integer",
        ],
        "stream_output": [
            "default": true, "description": "Whether the output of flow runs is passed on to the worker's own output.",
            "title": "Stream Output", "type": "boolean",
        ],
        "cluster_config": [
            "anyOf": [["$ref": "#/definitions/KubernetesClusterConfig"], ["type": "null"]], "default": nil,
            "description": "The cluster that jobs are created in. By default the worker's own.",
        ],
        "cpu_request": quantity("CPU Request", "The processor time that a flow run is sure to get, like 500m or 2."),
        "cpu_limit": quantity("CPU Limit", "The processor time that a flow run may use, like 500m or 2."),
        "memory_request": quantity("Memory Request", "The memory that a flow run is sure to get, like 512Mi or 2Gi."),
        "memory_limit": quantity(
            "Memory Limit", "The memory that a flow run may use, like 512Mi or 2Gi; one that uses more is killed."),
    ]

    private static func optional(_ title: String, _ type: String, _ description: String) -> JSONValue {
        [
            "anyOf": [["type": .string(type)], ["type": "null"]], "default": nil,
            "description": .string(description), "title": .string(title),
        ]
    }

    private static func quantity(_ title: String, _ description: String) -> JSONValue {
        optional(title, "string", description)
    }

    static let manifest: JSONValue = [
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": [
            "annotations": "{{ annotations }}", "generateName": "{{ name }}-", "labels": "{{ labels }}",
            "namespace": "{{ namespace }}",
        ],
        "spec": [
            "backoffLimit": "{{ backoff_limit }}",
            "template": [
                "spec": [
                    "completions": 1,
                    "containers": [
                        [
                            "args": "{{ command }}", "env": "{{ env }}", "image": "{{ image }}",
                            "imagePullPolicy": "{{ image_pull_policy }}", "name": "prefect-job",
                            "resources": [
                                "limits": ["cpu": "{{ cpu_limit }}", "memory": "{{ memory_limit }}"],
                                "requests": ["cpu": "{{ cpu_request }}", "memory": "{{ memory_request }}"],
                            ],
                        ]
                    ],
                    "parallelism": 1, "restartPolicy": "Never", "serviceAccountName": "{{ service_account_name }}",
                ]
            ],
            "ttlSecondsAfterFinished": "{{ finished_job_ttl }}",
        ],
    ]

    static let clusterBlock: JSONValue = [
        "block_schema_references": [:], "block_type_slug": "kubernetes-cluster-config",
        "description": "How a cluster is reached: a kubeconfig and the name of a context in it.",
        "properties": [
            "config": [
                "additionalProperties": true, "description": "The content of a kubeconfig file.", "title": "Config",
                "type": "object",
            ],
            "context_name": [
                "description": "The context to use.", "title": "Context Name", "type": "string",
            ],
        ],
        "required": ["config", "context_name"], "secret_fields": [], "title": "KubernetesClusterConfig",
        "type": "object",
    ]
}
