internal import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// The template for `vertex-ai` pools without a template of their own.
enum VertexAITemplate {
    static var template: BaseJobTemplate {
        GoogleTemplate.template(
            [
                "command": "{{ command }}", "env": "{{ env }}", "labels": "{{ labels }}", "name": "{{ name }}",
                "region": "{{ region }}", "credentials": "{{ credentials }}", "job_spec": jobSpec,
                "job_watch_poll_interval": "{{ job_watch_poll_interval }}",
            ], variables, required: ["region", "image"],
            definitions: ["GcpCredentials": GoogleTemplate.credentialsBlock])
    }

    private static let jobSpec: JSONValue = [
        "enable_dashboard_access": "{{ enable_dashboard_access }}", "enable_web_access": "{{ enable_web_access }}",
        "maximum_run_time_hours": "{{ maximum_run_time_hours }}", "network": "{{ network }}",
        "reserved_ip_ranges": "{{ reserved_ip_ranges }}", "scheduling": "{{ scheduling }}",
        "service_account_name": "{{ service_account_name }}",
        "worker_pool_specs": [
            [
                "container_spec": ["args": [], "command": "{{ command }}", "image_uri": "{{ image }}"],
                "disk_spec": [
                    "boot_disk_size_gb": "{{ boot_disk_size_gb }}", "boot_disk_type": "{{ boot_disk_type }}",
                ],
                "machine_spec": [
                    "accelerator_count": "{{ accelerator_count }}", "accelerator_type": "{{ accelerator_type }}",
                    "machine_type": "{{ machine_type }}",
                ],
                "replica_count": 1,
            ]
        ],
    ]

    private static var variables: OrderedDictionary<String, JSONValue> {
        [
            "region": [
                "description": "The region of the job.", "examples": ["us-central1"], "title": "Region",
                "type": "string",
            ],
            "image": [
                "description": "The image of the job's container, in a registry that Vertex AI can read.",
                "examples": ["gcr.io/your-project/your-repo:latest"], "title": "Image Name", "type": "string",
            ],
            "credentials": GoogleTemplate.credentials,
            "machine_type": text("Machine Type", "n1-standard-4", "The type of machine, which sets CPU and memory."),
            "accelerator_type": GoogleTemplate.optional(
                ["type": "string"], "Accelerator Type", "The type of the machine's accelerators.",
                examples: ["NVIDIA_TESLA_K80"]),
            "accelerator_count": GoogleTemplate.optional(
                ["type": "integer"], "Accelerator Count", "The number of the machine's accelerators.", examples: [1]),
            "boot_disk_type": text("Boot Disk Type", "pd-ssd", "The type of the machine's boot disk."),
            "boot_disk_size_gb": [
                "default": 100, "description": "The size of the boot disk in GB.", "title": "Boot Disk Size (GB)",
                "type": "integer",
            ],
            "maximum_run_time_hours": [
                "default": 1, "description": "After how many hours Vertex AI ends the job.",
                "title": "Maximum Run Time (Hours)", "type": "integer",
            ],
            "network": GoogleTemplate.optional(
                ["type": "string"], "Network",
                "The VPC network that the job is peered with: projects/12345/global/networks/NAME."),
            "reserved_ip_ranges": GoogleTemplate.optional(
                ["items": ["type": "string"], "type": "array"], "Reserved IP Ranges",
                "The reserved ranges of addresses in the network that the job may use."),
            "scheduling": GoogleTemplate.optional(
                ["additionalProperties": true, "type": "object"], "Scheduling Options",
                "Vertex AI's options for queueing and scheduling. Their timeout is set by 'maximum_run_time_hours'.",
                examples: [["scheduling": ["max_wait_duration": "1800s", "strategy": "FLEX_START"]]]),
            "service_account_name": GoogleTemplate.optional(
                ["type": "string"], "Service Account Name",
                "The service account that the job runs as. By default the one of the credentials."),
            "enable_web_access": flag("Enable Web Access", "Whether an interactive shell in the job is possible."),
            "enable_dashboard_access": flag(
                "Enable Dashboard Access", "Whether the dashboard in the job's container can be reached."),
            "job_watch_poll_interval": [
                "default": 5.0, "description": "Has no effect: the worker watches all jobs together.",
                "title": "Poll Interval (Seconds)", "type": "number",
            ],
        ]
    }

    private static func text(_ title: String, _ value: String, _ description: String) -> JSONValue {
        [
            "default": .string(value), "description": .string(description), "title": .string(title), "type": "string",
        ]
    }

    private static func flag(_ title: String, _ description: String) -> JSONValue {
        [
            "default": false, "description": .string(description), "examples": [true], "title": .string(title),
            "type": "boolean",
        ]
    }
}
