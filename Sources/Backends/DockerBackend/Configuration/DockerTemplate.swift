internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

extension DockerBackend {
    /// The template of `docker` pools: the common variables, the image and its source, and the resources that
    /// containers may use.
    static func defaultTemplate() -> BaseJobTemplate {
        let template = PoolTemplate.template(
            fields: [.command, .env, .labels, .name],
            variables: [.command, .env, .labels, .name],
            own: [
                "image": [
                    "description": "The image that flow runs start from; without one, Prefect's own.",
                    "examples": ["docker.io/prefecthq/prefect:3-latest"],
                    "title": "Image",
                    "type": "string",
                ],
                "registry_credentials": [
                    "anyOf": [["$ref": "#/$defs/DockerRegistryCredentials"], ["type": "null"]],
                    "default": nil,
                    "description":
                        "What the image's registry lets the Engine in with, for images that not everybody may pull.",
                ],
                "image_pull_policy": PoolTemplate.optional(
                    ["enum": ["IfNotPresent", "Always", "IfPossible", "Never"], "type": "string"],
                    title: "Image Pull Policy",
                    "When the image is pulled. By default always for the tag 'latest' or none, else when it is not there."
                ),
                "networks": [
                    "description": "The networks that containers join; they must exist.",
                    "items": ["type": "string"],
                    "title": "Networks",
                    "type": "array",
                ],
                "network_mode": PoolTemplate.optional(
                    ["type": "string"], title: "Network Mode",
                    "The network mode of containers, like host or bridge. Not to be combined with networks."),
                "auto_remove": PoolTemplate.flag(
                    false, title: "Auto Remove", "Whether containers are removed when their flow run has ended."),
                "volumes": [
                    "description":
                        "What is mounted in containers: a volume's name or a path of the Engine's host, a colon, and the place. Relative paths begin in the worker's working directory.",
                    "examples": ["/my/local/path:/path/in/container", "./data:/path/in/container"],
                    "items": ["type": "string"],
                    "title": "Volumes",
                    "type": "array",
                ],
                "stream_output": PoolTemplate.flag(
                    true, title: "Stream Output",
                    "Whether what containers print is passed on to the worker's own output."),
                "mem_limit": PoolTemplate.optional(
                    ["type": "string"], title: "Memory Limit",
                    "How much memory a container may use: a number of bytes with a unit if need be, like 512m or 2g."),
                "memswap_limit": PoolTemplate.optional(
                    ["type": "string"], title: "Memory Swap Limit",
                    "How much memory and swap together a container may use, -1 for any amount of swap. Needs a memory limit, twice which it is by default."
                ),
                "privileged": PoolTemplate.flag(
                    false, title: "Privileged", "Whether containers have all the privileges of the Engine's host."),
                "container_create_kwargs": PoolTemplate.optional(
                    ["additionalProperties": true, "type": "object"], title: "Container Configuration",
                    "Anything else that containers are created with, by the keywords of docker-py's containers.create."),
            ])
        var variables: JSONValue = [
            "$defs": ["DockerRegistryCredentials": registryCredentials],
            "description": "What the containers of flow runs are made of and what they may use.",
        ]
        for (key, value) in template.variables.objectValue ?? [:] { variables[key] = value }
        return BaseJobTemplate(jobConfiguration: template.jobConfiguration, variables: variables)
    }

    /// The schema of the block type that holds a registry's credentials.
    private static var registryCredentials: JSONValue {
        func text(_ title: String, _ description: String) -> JSONValue {
            ["description": .string(description), "title": .string(title), "type": "string"]
        }
        var password = text("Password", "The password, or a token in its place.")
        password["format"] = "password"
        password["writeOnly"] = true
        var url = text("Registry Url", "The registry's address; the scheme may be left out.")
        url["examples"] = ["index.docker.io"]
        return [
            "additionalProperties": true,
            "block_schema_references": [:],
            "block_type_slug": "docker-registry-credentials",
            "description": "What a container registry lets someone in with.",
            "properties": [
                "username": text("Username", "The name of the registry's user."), "password": password,
                "registry_url": url,
                "reauth": PoolTemplate.flag(true, title: "Reauth", "Whether to log in anew every time."),
            ],
            "required": ["username", "password", "registry_url"],
            "secret_fields": ["password"],
            "title": "DockerRegistryCredentials",
            "type": "object",
        ]
    }
}
