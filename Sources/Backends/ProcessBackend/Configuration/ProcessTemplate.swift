internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

extension ProcessBackend {
    /// The template of `process` pools: the common variables, the output and the working directory.
    static func defaultTemplate() -> BaseJobTemplate {
        PoolTemplate.template(
            own: [
                "stream_output": [
                    "default": true,
                    "description": "Whether the output of flow runs is passed on to the worker's own output.",
                    "title": "Stream Output",
                    "type": "boolean",
                ],
                "working_dir": [
                    "anyOf": [["format": "path", "type": "string"], ["type": "null"]],
                    "default": nil,
                    "description":
                        "The existing directory that flow runs start in. Without one each run gets a directory of its own, which is removed after it.",
                    "title": "Working Directory",
                ],
            ])
    }
}
