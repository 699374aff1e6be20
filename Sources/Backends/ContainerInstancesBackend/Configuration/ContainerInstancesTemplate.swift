internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

extension ContainerInstancesService {
    /// The template of `azure-container-instance` pools. It contains the common variables, the place and the size of the
    /// container, and the template that Azure deploys.
    static func defaultTemplate() -> BaseJobTemplate {
        let template = PoolTemplate.template(own: variables)
        var configuration: OrderedDictionary<String, JSONValue> = [:]
        for (field, value) in template.jobConfiguration where field != "keep_container_group" {
            configuration[field] = value
        }
        configuration["arm_template"] = deploymentTemplate
        configuration["keep_container_group"] = "{{ keep_container_group }}"
        var schema: JSONValue = ["description": "The place, the size and the image of the containers of flow runs."]
        for (key, value) in template.variables.objectValue ?? [:] { schema[key] = value }
        schema["required"] = ["resource_group_name", "subscription_id"]
        schema["definitions"] = .object(definitions)
        return BaseJobTemplate(jobConfiguration: configuration, variables: schema)
    }

    private static func text(_ title: String, _ description: String) -> JSONValue {
        ["description": .string(description), "title": .string(title), "type": "string"]
    }

    private static func secret(_ title: String, _ description: String) -> JSONValue {
        var schema = text(title, description)
        schema["format"] = "password"
        schema["writeOnly"] = true
        return schema
    }

    private static func number(_ value: JSONValue, _ type: String, _ title: String, _ description: String) -> JSONValue
    {
        ["default": value, "description": .string(description), "title": .string(title), "type": .string(type)]
    }

    private static let texts: JSONValue = ["items": ["type": "string"], "type": "array"]

    private static var variables: OrderedDictionary<String, JSONValue> {
        [
            "image": text("Image", "The image that flow runs start from; without one, Prefect's own."),
            "resource_group_name": text(
                "Azure Resource Group Name", "The resource group in which the container groups are created."),
            "subscription_id": secret("Azure Subscription ID", "The subscription that the resource group belongs to."),
            "identities": PoolTemplate.optional(
                texts, title: "Identities",
                "The resource ids of user-assigned identities that the container group receives."),
            "entrypoint": [
                "anyOf": [["type": "string"], ["type": "null"]], "default": "/opt/prefect/entrypoint.sh",
                "description":
                    "The program before the command. The default belongs to Prefect's images; use null for others.",
                "title": "Entrypoint",
            ],
            "image_registry": [
                "anyOf": [
                    ["$ref": "#/definitions/ACRManagedIdentity"], ["$ref": "#/definitions/DockerRegistryCredentials"],
                    ["type": "null"],
                ],
                "default": nil,
                "description": "The credentials for a private registry: a managed identity, or a user with a password.",
                "title": "Image Registry (Optional)",
            ],
            "cpu": number(1.0, "number", "CPU", "The number of CPUs of the container."),
            "gpu_count": PoolTemplate.optional(
                ["type": "integer"], title: "GPU Count", "The number of GPUs of the container. Needs gpu_sku."),
            "gpu_sku": PoolTemplate.optional(
                ["type": "string"], title: "GPU SKU", "The kind of the GPUs, such as V100. Needs gpu_count."),
            "memory": number(1.0, "number", "Memory", "The memory of the container in gigabytes."),
            "subnet_ids": PoolTemplate.optional(
                texts, title: "Subnet IDs", "The resource ids of the subnets that the container group joins."),
            "dns_servers": PoolTemplate.optional(
                texts, title: "DNS Servers", "The addresses of the name servers of the container group."),
            "stream_output": PoolTemplate.flag(
                false, title: "Stream Output", "Whether the worker prints the output of the container."),
            "aci_credentials": [
                "$ref": "#/definitions/AzureContainerInstanceCredentials",
                "description": "The credentials for Azure; without a block, those of the worker's host.",
            ],
            "task_start_timeout_seconds": number(
                240, "integer", "Task Start Timeout Seconds",
                "For the Python worker only. This worker waits for the start until Azure reports a failure."),
            "task_watch_poll_interval": number(
                5.0, "number", "Task Watch Poll Interval",
                "For the Python worker only. This worker watches all containers of a resource group together."),
            "keep_container_group": PoolTemplate.flag(
                false, title: "Keep Container Group After Completion",
                "Whether the container group is stopped and kept when the flow run has ended, instead of deleted."),
        ]
    }

    /// The template that the Resource Manager deploys.
    private static var deploymentTemplate: JSONValue {
        func parameter(_ value: String, _ description: String) -> JSONValue {
            [
                "defaultValue": .string(value), "metadata": ["description": .string(description)], "type": "string",
            ]
        }
        return [
            "$schema": "https://schema.management.azure.com/schemas/2019-08-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "parameters": [
                "container_group_name": parameter(
                    "[uniqueString(resourceGroup().id)]", "The name of the container group."),
                "container_name": parameter("[uniqueString(resourceGroup().id)]", "The name of the container."),
                "location": parameter("[resourceGroup().location]", "The region of all resources."),
            ],
            "resources": [
                [
                    "apiVersion": "2022-09-01", "location": "[parameters('location')]",
                    "name": "[parameters('container_group_name')]",
                    "properties": [
                        "containers": [
                            [
                                "name": "[parameters('container_name')]",
                                "properties": [
                                    "image": "{{ image }}", "command": "{{ command }}",
                                    "resources": ["requests": ["cpu": "{{ cpu }}", "memoryInGB": "{{ memory }}"]],
                                    "environmentVariables": [],
                                ],
                            ]
                        ],
                        "osType": "Linux", "restartPolicy": "Never",
                    ],
                    "type": "Microsoft.ContainerInstance/containerGroups",
                ]
            ],
        ]
    }

    /// The schemas of the blocks that variables refer to.
    private static var definitions: OrderedDictionary<String, JSONValue> {
        let optionalText: JSONValue = ["type": "string"]
        return [
            "ACRManagedIdentity": [
                "description": "A managed identity of the container group that may pull images.",
                "properties": [
                    "registry_url": text("Registry URL", "The address of the registry, like example.azurecr.io."),
                    "identity": text("Identity", "The resource id of the user-assigned identity."),
                ],
                "required": ["registry_url", "identity"], "title": "ACRManagedIdentity", "type": "object",
            ],
            "AzureContainerInstanceCredentials": [
                "block_schema_references": [:], "block_type_slug": "azure-container-instance-credentials",
                "description": "An application that may create container groups.",
                "properties": [
                    "client_id": PoolTemplate.optional(optionalText, title: "Client ID", "The id of the application."),
                    "tenant_id": PoolTemplate.optional(
                        optionalText, title: "Tenant ID", "The id of the application's tenant."),
                    "client_secret": PoolTemplate.optional(
                        ["format": "password", "type": "string", "writeOnly": true], title: "Client Secret",
                        "The secret of the application."),
                    "credential_kwargs": [
                        "additionalProperties": true,
                        "description": "Options such as authority or managed_identity_client_id.",
                        "title": "Additional Credential Keyword Arguments", "type": "object",
                    ],
                ],
                "secret_fields": ["client_secret"], "title": "AzureContainerInstanceCredentials", "type": "object",
            ],
            "DockerRegistryCredentials": [
                "block_schema_references": [:], "block_type_slug": "docker-registry-credentials",
                "description": "The user of a container registry.",
                "properties": [
                    "username": text("Username", "The name of the registry's user."),
                    "password": secret("Password", "The password, or a token in its place."),
                    "registry_url": text("Registry Url", "The address of the registry; the scheme may be absent."),
                    "reauth": PoolTemplate.flag(true, title: "Reauth", "Whether to log in each time."),
                ],
                "required": ["username", "password", "registry_url"], "secret_fields": ["password"],
                "title": "DockerRegistryCredentials", "type": "object",
            ],
        ]
    }
}
