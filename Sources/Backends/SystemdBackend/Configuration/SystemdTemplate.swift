internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

extension SystemdBackend {
    /// The template of `systemd` pools: the variables of process pools, and the settings for the units of runs.
    static func defaultTemplate() -> BaseJobTemplate {
        PoolTemplate.template(
            fields: [.command, .env, .labels, .name],
            variables: [.name, .env, .labels, .command],
            own: [
                "stream_output": PoolTemplate.flag(
                    true, title: "Stream Output",
                    "Whether the output of flow runs, which the journal has, is also passed on to the worker's own output."
                ),
                "working_dir": PoolTemplate.optional(
                    ["format": "path", "type": "string"], title: "Working Directory",
                    "The existing directory that flow runs start in. Without one each run gets a directory of its own, which is removed after it."
                ),
                "user": text(
                    "User",
                    "The user that flow runs run as; requires the system's manager. By default the user of the manager. Only the work pool's default applies, unless the worker permits others."
                ),
                "group": text("Group", "The group that flow runs run as; requires the system's manager."),
                "slice": text("Slice", "The slice that the units of flow runs are in, like flows.slice."),
                "memory_max": text(
                    "Memory Max",
                    "The maximum memory of a flow run: bytes, or like 512M or 2G. A run that uses more is killed."),
                "memory_high": text(
                    "Memory High", "The memory above which a flow run is slowed down: bytes, or like 512M or 2G."),
                "cpu_quota": text(
                    "CPU Quota", "The maximum CPU time: a number of CPUs like 1.5, or a percentage of one like 150%."),
                "cpu_weight": whole(
                    "CPU Weight", "The share of CPU time relative to other units, 1 to 10000; 100 is usual."),
                "io_weight": whole(
                    "IO Weight", "The share of disk time relative to other units, 1 to 10000; 100 is usual."),
                "tasks_max": whole("Tasks Max", "The maximum number of processes and threads of a flow run."),
                "runtime_max_sec": PoolTemplate.optional(
                    ["type": "number"], title: "Runtime Max Sec",
                    "The maximum number of seconds that a flow run may take."),
                "timeout_stop_sec": PoolTemplate.optional(
                    ["type": "number"], title: "Timeout Stop Sec",
                    "The seconds between SIGTERM and SIGKILL when a flow run is stopped. By default the worker's own time."
                ),
                "private_tmp": PoolTemplate.flag(
                    false, title: "Private Tmp", "Whether a flow run has a /tmp of its own."),
                "private_network": PoolTemplate.flag(
                    false, title: "Private Network", "Whether a flow run has no network; then it cannot reach the API."),
                "private_devices": PoolTemplate.flag(
                    false, title: "Private Devices", "Whether a flow run sees only pseudo devices such as /dev/null."),
                "no_new_privileges": PoolTemplate.flag(
                    false, title: "No New Privileges", "Whether programs like sudo give a flow run no more privileges."),
                "protect_system": PoolTemplate.optional(
                    ["enum": ["no", "yes", "full", "strict"], "type": "string"], title: "Protect System",
                    "The read-only parts of the system: /usr and /boot (yes), /etc too (full), everything (strict)."),
                "protect_home": PoolTemplate.optional(
                    ["enum": ["no", "yes", "read-only", "tmpfs"], "type": "string"], title: "Protect Home",
                    "Whether /home, /root and /run/user are hidden, read-only, or empty."),
                "read_write_paths": paths("Read Write Paths", "Paths that stay writable whatever is protected."),
                "read_only_paths": paths("Read Only Paths", "Paths that are read-only for flow runs."),
                "inaccessible_paths": paths("Inaccessible Paths", "Paths that are hidden from flow runs."),
            ])
    }

    private static func text(_ title: String, _ description: String) -> JSONValue {
        PoolTemplate.optional(["type": "string"], title: title, description)
    }

    private static func whole(_ title: String, _ description: String) -> JSONValue {
        PoolTemplate.optional(["type": "integer"], title: title, description)
    }

    private static func paths(_ title: String, _ description: String) -> JSONValue {
        [
            "description": .string(description), "items": ["type": "string"], "title": .string(title), "type": "array",
        ]
    }
}
