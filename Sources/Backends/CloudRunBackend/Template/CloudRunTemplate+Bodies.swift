internal import BackendKit

extension CloudRunTemplate {
    /// The job of version 1: a job of Knative.
    static let bodyV1: JSONValue = [
        "apiVersion": "run.googleapis.com/v1", "kind": "Job",
        "metadata": [
            "annotations": ["run.googleapis.com/launch-stage": "BETA"], "name": "{{ name }}",
        ],
        "spec": [
            "template": [
                "metadata": [
                    "annotations": ["run.googleapis.com/vpc-access-connector": "{{ vpc_connector_name }}"]
                ],
                "spec": [
                    "template": [
                        "spec": [
                            "containers": [
                                [
                                    "command": "{{ command }}", "image": "{{ image }}",
                                    "resources": [
                                        "limits": ["cpu": "{{ cpu }}", "memory": "{{ memory }}"],
                                        "requests": ["cpu": "{{ cpu }}", "memory": "{{ memory }}"],
                                    ],
                                ]
                            ],
                            "serviceAccountName": "{{ service_account_name }}", "timeoutSeconds": "{{ timeout }}",
                        ]
                    ]
                ],
            ]
        ],
    ]

    /// The job of version 2.
    static let bodyV2: JSONValue = [
        "client": "prefect", "launchStage": "{{ launch_stage }}",
        "template": [
            "template": [
                "containers": [
                    [
                        "args": "{{ args }}", "command": "{{ command }}", "env": [], "image": "{{ image }}",
                        "resources": ["limits": ["cpu": "{{ cpu }}", "memory": "{{ memory }}"]],
                    ]
                ],
                "maxRetries": "{{ max_retries }}", "serviceAccount": "{{ service_account_name }}",
                "timeout": "{{ timeout }}", "vpcAccess": ["connector": "{{ vpc_connector_name }}"],
            ]
        ],
    ]
}
