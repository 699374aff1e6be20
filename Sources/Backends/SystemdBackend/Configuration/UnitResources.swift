internal import BackendKit
internal import PrefectJSON
internal import Systemd

/// The resources and permissions of a run's unit. They come from job variables that stand for properties of systemd,
/// read and checked.
struct UnitResources: Sendable {
    /// The properties, in the types that the manager expects.
    private(set) var properties: [UnitProperty] = []
    /// The variables as `prefect-worker render` prints them.
    private(set) var json: [(key: String, value: JSONValue)] = []
    /// The limits that explain the end of a run.
    private(set) var limits = UnitLimits()
    /// The job variables that only the system's manager accepts.
    private(set) var needsSystemManager: [String] = []
    /// The user of the run, if the job names one.
    private(set) var user: String?
    private(set) var group: String?
    /// The time that the unit has to stop.
    private(set) var stopTime: Duration?

    /// Releases the variables in the form that `prefect-worker render` prints.
    mutating func forgetJSON() { json = [] }

    init(rendered: JSONValue) throws(InfrastructureError) {
        let fields = RenderedFields(rendered)
        let reader = ValueReader(rendered: rendered)
        user = try name("user", "User", fields)
        group = try name("group", "Group", fields)
        needsSystemManager = ["user", "group"].filter { rendered[$0]?.stringValue?.isEmpty == false }
        if let slice = try name("slice", "Slice", fields), !slice.hasSuffix(".slice") {
            throw ValueReader.bad("slice", slice, "the name of a slice, like flows.slice")
        }
        try amount("memory_max", "MemoryMax", reader)
        try amount("memory_high", "MemoryHigh", reader)
        limits.memory = rendered["memory_max"].flatMap { $0.stringValue ?? $0.intValue.map { "\($0) bytes" } }
            .flatMap { $0.isEmpty ? nil : $0 }
        let quota = try reader.cpus("cpu_quota")
        add("cpu_quota", rendered, quota.map { UnitProperty("CPUQuotaPerSecUSec", .uint64($0)) })
        for (field, property) in [("cpu_weight", "CPUWeight"), ("io_weight", "IOWeight")] {
            let weight = try reader.whole(field, 1...10_000)
            add(field, rendered, weight.map { UnitProperty(property, .uint64($0)) })
        }
        let tasks = try reader.whole("tasks_max", 1...4_194_304)
        add("tasks_max", rendered, tasks.map { UnitProperty("TasksMax", .uint64($0)) })
        let runtime = try reader.microseconds("runtime_max_sec")
        add("runtime_max_sec", rendered, runtime.map { UnitProperty("RuntimeMaxUSec", .uint64($0)) })
        limits.runtime = runtime.map { ValueReader.seconds($0) }
        let stop = try reader.microseconds("timeout_stop_sec")
        add("timeout_stop_sec", rendered, stop.map { UnitProperty("TimeoutStopUSec", .uint64($0)) })
        stopTime = stop.map { .microseconds(Int64(clamping: $0)) }
        for (field, property) in Self.switches {
            let isOn = try fields.boolean(field, default: false)
            json.append((field, .bool(isOn)))
            if isOn { properties.append(UnitProperty(property, .boolean(true))) }
        }
        let choices = [
            ("protect_system", "ProtectSystem", ["no", "yes", "full", "strict"]),
            ("protect_home", "ProtectHome", ["no", "yes", "read-only", "tmpfs"]),
        ]
        for (field, property, words) in choices {
            let word = try reader.choice(field, words)
            add(field, rendered, word.map { UnitProperty(property, .string($0)) })
        }
        for (field, property) in Self.pathLists {
            let paths = try fields.texts(field)
            for path in paths where !path.hasPrefix("/") || path.utf8.contains(where: { $0 < 32 }) {
                throw ValueReader.bad(field, path, "a list of absolute paths")
            }
            json.append((field, .array(paths.map(JSONValue.string))))
            if !paths.isEmpty { properties.append(UnitProperty(property, .strings(paths))) }
        }
    }

    /// The job variables that control what a run may do on the worker's host.
    static let privileges: Set<String> = Set(
        ["user", "group", "protect_system", "protect_home"] + switches.map(\.0) + pathLists.map(\.0))

    private static let switches = [
        ("private_tmp", "PrivateTmp"), ("private_network", "PrivateNetwork"), ("private_devices", "PrivateDevices"),
        ("no_new_privileges", "NoNewPrivileges"),
    ]
    private static let pathLists = [
        ("read_write_paths", "ReadWritePaths"), ("read_only_paths", "ReadOnlyPaths"),
        ("inaccessible_paths", "InaccessiblePaths"),
    ]

    private mutating func name(
        _ field: String, _ property: String, _ fields: RenderedFields
    ) throws(InfrastructureError) -> String? {
        let text = try fields.text(field, expected: "a name").flatMap { $0.isEmpty ? nil : $0 }
        if let text, !text.utf8.allSatisfy({ $0 > 32 && $0 < 127 && $0 != UInt8(ascii: "/") }) {
            throw ValueReader.bad(field, text, "a name")
        }
        json.append((field, JSONValue(text)))
        if let text { properties.append(UnitProperty(property, .string(text))) }
        return text
    }

    private mutating func amount(
        _ field: String, _ property: String, _ reader: ValueReader
    ) throws(InfrastructureError) {
        let bytes = try reader.bytes(field)
        add(field, reader.rendered, bytes.map { UnitProperty(property, .uint64($0)) })
    }

    private mutating func add(_ field: String, _ rendered: JSONValue, _ property: UnitProperty?) {
        json.append((field, property == nil ? .null : rendered[field] ?? .null))
        if let property { properties.append(property) }
    }
}
