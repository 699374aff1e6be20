/// The state of a unit.
package struct UnitStatus: Sendable, Hashable {
    /// `active`, `activating`, `deactivating`, `inactive`, `failed`, …
    package let activeState: String
    /// Whether the manager has a pending job for the unit.
    package let hasJob: Bool

    package init(activeState: String, hasJob: Bool) {
        self.activeState = activeState
        self.hasJob = hasJob
    }

    /// Whether nothing of the unit runs or is about to run.
    package var hasEnded: Bool { !hasJob && (activeState == "inactive" || activeState == "failed") }
}

/// A property of a new unit: its name, and its value in the type that the manager expects.
package struct UnitProperty: Sendable, Hashable {
    package let name: String
    package let value: BusValue

    package init(_ name: String, _ value: BusValue) {
        self.name = name
        self.value = value
    }
}

/// The calls of a service manager that concern units. Mirrors `org.freedesktop.systemd1(5)`.
package struct UnitManager: Sendable {
    private static let name = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"

    /// The rules for the signals that report changes of units or a new manager.
    package static let matches =
        ["UnitRemoved", "JobRemoved", "Reloading"].map {
            "type='signal',sender='\(name)',path='\(path)',interface='\(interface)',member='\($0)'"
        } + [
            "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='\(name)'"
        ]

    /// The name of the error for a unit that already exists.
    package static let unitExists = "org.freedesktop.systemd1.UnitExists"
    /// The name of the error for a unit that does not exist.
    package static let noSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"

    private let bus: Bus

    /// Makes calls to the manager on a bus.
    package init(bus: Bus) { self.bus = bus }

    private func call(
        _ member: String, _ arguments: [BusValue] = [], isRead: Bool = false
    ) async throws(BusError) -> [BusValue] {
        try await bus.call(
            BusCall(
                destination: Self.name, path: Self.path, interface: Self.interface, member: member,
                arguments: arguments, isRead: isRead))
    }

    /// Requests the signals of the manager.
    package func subscribe() async throws(BusError) {
        do {
            _ = try await call("Subscribe", isRead: true)
        } catch {
            guard error.name == "org.freedesktop.systemd1.AlreadySubscribed" else { throw error }
        }
    }

    /// Returns the manager's version.
    package func version(within limit: Duration) async throws(BusError) -> String {
        let answer = try await bus.call(
            BusCall(
                destination: Self.name, path: Self.path, interface: "org.freedesktop.DBus.Properties", member: "Get",
                arguments: [.string(Self.interface), .string("Version")], timeout: limit, isRead: true))
        return answer.first?.text ?? "of an unknown version"
    }

    /// Creates and starts a transient unit. Fails when a unit of that name exists.
    package func startTransientUnit(_ unit: String, properties: [UnitProperty]) async throws(BusError) {
        let pairs = properties.map { BusValue.structure([.string($0.name), .variant($0.value)]) }
        _ = try await call(
            "StartTransientUnit",
            [.string(unit), .string("fail"), .array(of: "(sv)", pairs), .array(of: "(sa(sv))", [])])
    }

    /// Requests that a unit is stopped.
    package func stop(_ unit: String) async throws(BusError) {
        _ = try await call("StopUnit", [.string(unit), .string("replace")])
    }

    /// Sends a signal to all processes of a unit.
    package func kill(_ unit: String, signal: Int32) async throws(BusError) {
        _ = try await call("KillUnit", [.string(unit), .string("all"), .int32(signal)])
    }

    /// Returns the type of the current job of this process's own unit, like `restart`. Returns `nil` when the unit has
    /// no job, or when the process belongs to no unit.
    package func ownJob() async throws(BusError) -> String? {
        guard let unit = try await call("GetUnitByPID", [.uint32(0)], isRead: true).first?.text else { return nil }
        let job = try await property("Job", of: unit, "org.freedesktop.systemd1.Unit").elements ?? []
        guard job.count == 2, case .uint32(let number) = job[0], number != 0, let path = job[1].text else { return nil }
        return try await property("JobType", of: path, "org.freedesktop.systemd1.Job").text
    }

    /// Returns how the processes of this process's own service are ended, like `control-group`.
    package func ownKillMode() async throws(BusError) -> String? {
        guard let unit = try await call("GetUnitByPID", [.uint32(0)], isRead: true).first?.text else { return nil }
        return try await property("KillMode", of: unit, "org.freedesktop.systemd1.Service").text
    }

    private func property(_ name: String, of path: String, _ interface: String) async throws(BusError) -> BusValue {
        let answer = try await bus.call(
            BusCall(
                destination: Self.name, path: path, interface: "org.freedesktop.DBus.Properties", member: "Get",
                arguments: [.string(interface), .string(name)], isRead: true))
        guard let value = answer.first else {
            throw BusError(name: "System.Error.EBADMSG", message: "the answer has an unexpected type")
        }
        return value
    }

    /// Returns the loaded units whose names match a pattern.
    package func units(named pattern: String) async throws(BusError) -> [String: UnitStatus] {
        let answer = try await call("ListUnitsByPatterns", [.strings([]), .strings([pattern])], isRead: true)
        var units: [String: UnitStatus] = [:]
        for row in answer.first?.elements ?? [] {
            guard let members = row.elements, members.count >= 8, let name = members[0].text,
                let state = members[3].text, case .uint32(let job) = members[7]
            else { throw BusError(name: "System.Error.EBADMSG", message: "the list of units has an unexpected form") }
            units[name] = UnitStatus(activeState: state, hasJob: job != 0)
        }
        return units
    }
}
