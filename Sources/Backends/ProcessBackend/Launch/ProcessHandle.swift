internal import BackendKit
internal import Glibc
internal import OrderedCollections
internal import PrefectJSON

/// The content of an identifier: a pid, and the facts that prove that the pid still identifies the same process.
struct ProcessHandle: Hashable, Sendable {
    let pid: pid_t
    /// When and where the process started; `nil` for a bare pid, as another worker program stores it.
    let origin: Origin?

    struct Origin: Hashable, Sendable {
        /// The start time, in clock ticks since the host booted.
        let startTime: UInt64
        let place: ProcessPlace
        /// The run's private directory.
        let directory: String
        /// The directory in which the process started, if it is outside the run's directory.
        let workingDirectory: String?
        /// Whether the output of the process is copied to the worker's own output.
        let streamsOutput: Bool
    }

    /// Reads an identifier.
    init(_ identifier: InfrastructureIdentifier) throws(InfrastructureError) {
        guard let pid = pid_t(identifier.rawValue), pid > 1 else {
            throw InfrastructureError(
                .notReachable, "'\(identifier.rawValue)' is not the identifier of a process on this host")
        }
        self.pid = pid
        let handle = identifier.handle
        if let start = handle["start_time"]?.intValue, let boot = handle["boot_id"]?.stringValue,
            let directory = handle["directory"]?.stringValue
        {
            origin = Origin(
                startTime: UInt64(clamping: start),
                place: ProcessPlace(
                    host: handle["host"]?.stringValue ?? "", bootID: boot,
                    pidNamespace: handle["pid_namespace"]?.stringValue ?? ""),
                directory: directory, workingDirectory: handle["working_dir"]?.stringValue,
                streamsOutput: handle["stream_output"]?.boolValue ?? true)
        } else {
            origin = nil
        }
    }

    /// Makes the handle of a process on this host.
    init(pid: pid_t, startTime: UInt64, directory: String, workingDirectory: String?, streamsOutput: Bool) {
        self.pid = pid
        origin = Origin(
            startTime: startTime, place: .current, directory: directory, workingDirectory: workingDirectory,
            streamsOutput: streamsOutput)
    }

    /// The identifier with the same content.
    var identifier: InfrastructureIdentifier {
        guard let origin else { return InfrastructureIdentifier(rawValue: String(pid)) }
        var handle: OrderedDictionary<String, JSONValue> = [
            "pid": .int(Int(pid)),
            "start_time": .int(Int(clamping: origin.startTime)),
            "boot_id": .string(origin.place.bootID),
            "host": .string(origin.place.host),
            "pid_namespace": .string(origin.place.pidNamespace),
            "directory": .string(origin.directory),
            "stream_output": .bool(origin.streamsOutput),
        ]
        if let workingDirectory = origin.workingDirectory { handle["working_dir"] = .string(workingDirectory) }
        return InfrastructureIdentifier(rawValue: String(pid), handle: .object(handle))
    }

    /// Returns the facts of the process. Throws `notReachable` when this host cannot see the process, and `notFound`
    /// when the process no longer exists.
    func locate(flowRunID: String) throws(InfrastructureError) -> ProcessFacts {
        guard let origin else { return try locateBarePID(flowRunID: flowRunID) }
        let here = ProcessPlace.current
        // The number of a namespace has a meaning only within one boot of one host.
        guard origin.place.bootID == here.bootID, origin.place.pidNamespace == here.pidNamespace else {
            if origin.place.host != here.host {
                throw InfrastructureError(
                    .notReachable,
                    "Process \(pid) was started on host '\(origin.place.host)', but this host is '\(here.host)'")
            }
            throw InfrastructureError(
                .notFound, "Process \(pid) ended when this host or container restarted")
        }
        guard let facts = ProcessFacts(pid: pid), facts.startTime == origin.startTime else {
            throw InfrastructureError(.notFound, "Process \(pid) does not exist any more")
        }
        return facts
    }

    private func locateBarePID(flowRunID: String) throws(InfrastructureError) -> ProcessFacts {
        guard let facts = ProcessFacts(pid: pid), !facts.isZombie else {
            throw InfrastructureError(
                .notReachable, "There is no process \(pid) on this host; it ended or runs on another host")
        }
        guard ProcessFacts.environmentValue(of: pid, "PREFECT__FLOW_RUN_ID") == flowRunID else {
            throw InfrastructureError(
                .notReachable,
                "Process \(pid) on this host may not belong to the flow run, so the worker ignores it")
        }
        return facts
    }
}
