internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// The job variable `container_create_kwargs`: the keywords of docker-py's `containers.create`, under the Engine's
/// names.
///
/// An unknown keyword is refused by name. Keywords that have a job variable of their own (`name`, `volumes`, …) are
/// ignored, as in the Python worker.
struct CreateOptions: Sendable, Hashable {
    /// The members of the request outside `HostConfig`.
    private(set) var container: OrderedDictionary<String, JSONValue> = [:]
    /// The members of `HostConfig`.
    private(set) var host: OrderedDictionary<String, JSONValue> = [:]
    /// `networking_config`: the endpoint settings for each network.
    private(set) var endpoints: JSONValue?
    /// `extra_hosts` as `name:address`.
    private(set) var extraHosts: [String] = []
    /// The platform of the image, like `linux/arm64`.
    private(set) var platform: String?
    /// Whether containers get the proxy variables of Docker's configuration.
    private(set) var usesConfiguredProxies = true
    /// The ignored keywords that deserve a warning.
    private(set) var ignored: [String] = []

    /// The keywords that have a job variable of their own.
    private static let ownVariables: Set<String> = [
        "command", "env", "labels", "name", "image", "registry_credentials", "image_pull_policy", "networks",
        "network_mode", "auto_remove", "volumes", "stream_output", "mem_limit", "memswap_limit", "privileged",
        "container_create_kwargs",
    ]

    /// The keywords whose values are passed on unchanged.
    private static let containerNames: [String: String] = [
        "domainname": "Domainname", "hostname": "Hostname", "mac_address": "MacAddress",
        "network_disabled": "NetworkDisabled", "stop_signal": "StopSignal", "tty": "Tty", "working_dir": "WorkingDir",
    ]
    private static let hostNames: [String: String] = [
        "blkio_weight": "BlkioWeight", "blkio_weight_device": "BlkioWeightDevice", "cap_add": "CapAdd",
        "cap_drop": "CapDrop", "cgroup_parent": "CgroupParent", "cgroupns": "CgroupnsMode", "cpu_count": "CpuCount",
        "cpu_percent": "CpuPercent", "cpu_period": "CpuPeriod", "cpu_quota": "CpuQuota", "cpu_shares": "CpuShares",
        "cpuset_cpus": "CpusetCpus", "cpuset_mems": "CpusetMems", "cpu_rt_period": "CpuRealtimePeriod",
        "cpu_rt_runtime": "CpuRealtimeRuntime", "device_cgroup_rules": "DeviceCgroupRules",
        "device_read_bps": "BlkioDeviceReadBps", "device_read_iops": "BlkioDeviceReadIOps",
        "device_write_bps": "BlkioDeviceWriteBps", "device_write_iops": "BlkioDeviceWriteIOps", "dns": "Dns",
        "dns_opt": "DnsOptions", "dns_search": "DnsSearch", "init": "Init", "init_path": "InitPath",
        "ipc_mode": "IpcMode", "isolation": "Isolation", "mem_swappiness": "MemorySwappiness", "mounts": "Mounts",
        "nano_cpus": "NanoCpus", "oom_kill_disable": "OomKillDisable", "oom_score_adj": "OomScoreAdj",
        "pid_mode": "PidMode", "pids_limit": "PidsLimit", "publish_all_ports": "PublishAllPorts",
        "read_only": "ReadonlyRootfs", "restart_policy": "RestartPolicy", "runtime": "Runtime",
        "security_opt": "SecurityOpt", "storage_opt": "StorageOpt", "userns_mode": "UsernsMode",
        "uts_mode": "UTSMode", "volume_driver": "VolumeDriver", "volumes_from": "VolumesFrom",
    ]
    private static let byteNames: [String: String] = [
        "kernel_memory": "KernelMemory", "mem_reservation": "MemoryReservation", "shm_size": "ShmSize",
    ]

    /// No keywords.
    init() {}

    /// Reads the keywords. Throws an error of the kind `refused` that names the keyword at fault.
    init(_ keywords: JSONValue?) throws(InfrastructureError) {
        for (key, value) in keywords?.objectValue ?? [:] {
            if Self.ownVariables.contains(key) {
                if key == "volumes" { ignored.append(key) }
                continue
            }
            // A null value means that the keyword was not given.
            if value.isNull { continue }
            try read(key, value)
        }
    }

    private mutating func read(_ key: String, _ value: JSONValue) throws(InfrastructureError) {
        if let name = Self.containerNames[key] {
            container[name] = value
        } else if let name = Self.hostNames[key] {
            host[name] = value
        } else if let name = Self.byteNames[key] {
            host[name] = .int(try Self.bytes(key, value))
        } else {
            try readShaped(key, value)
        }
    }

    /// Reads the keywords whose form differs between the Engine and docker-py.
    private mutating func readShaped(_ key: String, _ value: JSONValue) throws(InfrastructureError) {
        let form = KeywordForm(key: key, value: value)
        switch key {
        case "user": container["User"] = .string(value.pythonText)
        case "stdin_open": container["OpenStdin"] = value
        case "entrypoint": container["Entrypoint"] = .array(try form.words())
        case "healthcheck": container["Healthcheck"] = try form.renamed(KeywordForm.healthcheck)
        case "platform": platform = value.stringValue
        case "devices": host["Devices"] = try form.devices()
        case "device_requests": host["DeviceRequests"] = try form.renamedElements(KeywordForm.deviceRequest)
        case "extra_hosts": extraHosts = try form.pairs(separator: ":")
        case "group_add": host["GroupAdd"] = .array(try form.elements().map { .string($0.pythonText) })
        case "links": host["Links"] = .array(try form.pairs(separator: ":").map(JSONValue.string))
        case "log_config": host["LogConfig"] = try form.renamed(["type": "Type", "config": "Config"])
        case "sysctls": host["Sysctls"] = try form.texts()
        case "tmpfs": host["Tmpfs"] = try form.tmpfs()
        case "ulimits":
            host["Ulimits"] = try form.renamedElements(["name": "Name", "soft": "Soft", "hard": "Hard"])
        case "ports":
            let (exposed, bindings) = try form.ports()
            container["ExposedPorts"] = exposed
            host["PortBindings"] = bindings
        case "networking_config": endpoints = try form.object()
        // The Engine decides these by itself, or only docker-py uses them.
        case "detach", "version": break
        case "use_config_proxy": usesConfiguredProxies = value != false
        case "environment": throw Self.refusal(key, "is set by the job variable 'env'; use that instead")
        case "network": throw Self.refusal(key, "is set by the job variable 'networks'; use that instead")
        case "lxc_conf": throw Self.refusal(key, "is no longer supported by Docker Engines; remove it")
        default:
            throw Self.refusal(key, "is not a keyword of docker-py's containers.create; see its documentation")
        }
    }

    static func refusal(_ key: String, _ problem: String) -> InfrastructureError {
        InfrastructureError(.refused, "container_create_kwargs: '\(key)' \(problem)")
    }

    static func bytes(_ key: String, _ value: JSONValue) throws(InfrastructureError) -> Int {
        if let number = value.intValue { return number }
        guard let text = value.stringValue, let number = ByteCount.parse(text) else {
            throw refusal(key, "should be a number of bytes like 64m; correct it")
        }
        return number
    }
}
