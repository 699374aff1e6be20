/// How a unit stands.
public struct UnitStanding: Sendable, Hashable {
    /// `active`, `activating`, `deactivating`, `inactive`, `failed`, …
    public let activeState: String
    /// Whether something is about to be done with it.
    public let hasJob: Bool

    /// How a unit stands.
    public init(activeState: String, hasJob: Bool) {
        self.activeState = activeState
        self.hasJob = hasJob
    }

    /// Whether nothing of it runs or is about to.
    public var hasEnded: Bool { !hasJob && (activeState == "inactive" || activeState == "failed") }
}

/// A property of a unit that is made: its name, and the value in the type that the manager wants.
public struct UnitProperty: Sendable, Hashable {
    public let name: String
    public let value: BusValue

    /// A property.
    public init(_ name: String, _ value: BusValue) {
        self.name = name
        self.value = value
    }
}

/// The calls of a service manager that have to do with units. Mirrors `org.freedesktop.systemd1(5)`.
public struct UnitManager: Sendable {
    private static let name = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"

    /// The rules for the signals that say that units have changed or that another manager is there.
    public static let matches =
        ["UnitRemoved", "JobRemoved", "Reloading"].map {
            "type='signal',sender='\(name)',path='\(path)',interface='\(interface)',member='\($0)'"
        } + [
            "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='\(name)'"
        ]

    /// The error of a unit that exists already.
    public static let unitExists = "org.freedesktop.systemd1.UnitExists"
    /// The error of a unit that does not.
    public static let noSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"

    private let bus: Bus

    /// The manager that is on a bus.
    public init(bus: Bus) { self.bus = bus }

    private func call(
        _ member: String, _ arguments: [BusValue] = [], isRead: Bool = false
    ) async throws(BusError) -> [BusValue] {
        try await bus.call(
            BusCall(
                destination: Self.name, path: Self.path, interface: Self.interface, member: member,
                arguments: arguments, isRead: isRead))
    }

    /// Asks for signals.
    public func subscribe() async throws(BusError) {
        do {
            _ = try await call("Subscribe", isRead: true)
        } catch {
            guard error.name == "org.freedesktop.systemd1.AlreadySubscribed" else { throw error }
        }
    }

    /// The manager's version.
    public func version(within limit: Duration) async throws(BusError) -> String {
        let answer = try await bus.call(
            BusCall(
                destination: Self.name, path: Self.path, interface: "org.freedesktop.DBus.Properties", member: "Get",
                arguments: [.string(Self.interface), .string("Version")], timeout: limit, isRead: true))
        return answer.first?.text ?? "of an unknown version"
    }

    /// Makes a transient unit and has it started; fails where there is one of that name.
    public func startTransientUnit(_ unit: String, properties: [UnitProperty]) async throws(BusError) {
        let pairs = properties.map { BusValue.structure([.string($0.name), .variant($0.value)]) }
        _ = try await call(
            "StartTransientUnit",
            [.string(unit), .string("fail"), .array(of: "(sv)", pairs), .array(of: "(sa(sv))", [])])
    }

    /// Has a unit stopped.
    public func stop(_ unit: String) async throws(BusError) {
        _ = try await call("StopUnit", [.string(unit), .string("replace")])
    }

    /// Sends a signal to all processes of a unit.
    public func kill(_ unit: String, signal: Int32) async throws(BusError) {
        _ = try await call("KillUnit", [.string(unit), .string("all"), .int32(signal)])
    }

    /// What is being done with this process's own unit, like `restart`; `nil` when nothing is, or the process is in none.
    public func ownJob() async throws(BusError) -> String? {
        guard let unit = try await call("GetUnitByPID", [.uint32(0)], isRead: true).first?.text else { return nil }
        let job = try await property("Job", of: unit, "org.freedesktop.systemd1.Unit").elements ?? []
        guard job.count == 2, case .uint32(let number) = job[0], number != 0, let path = job[1].text else { return nil }
        return try await property("JobType", of: path, "org.freedesktop.systemd1.Job").text
    }

    /// How the processes of this process's own service are ended, like `control-group`.
    public func ownKillMode() async throws(BusError) -> String? {
        guard let unit = try await call("GetUnitByPID", [.uint32(0)], isRead: true).first?.text else { return nil }
        return try await property("KillMode", of: unit, "org.freedesktop.systemd1.Service").text
    }

    private func property(_ name: String, of path: String, _ interface: String) async throws(BusError) -> BusValue {
        let answer = try await bus.call(
            BusCall(
                destination: Self.name, path: path, interface: "org.freedesktop.DBus.Properties", member: "Get",
                arguments: [.string(interface), .string(name)], isRead: true))
        guard let value = answer.first else {
            throw BusError(name: "System.Error.EBADMSG", message: "the answer is of another type than expected")
        }
        return value
    }

    /// The units that are loaded, by a pattern of their names.
    public func units(named pattern: String) async throws(BusError) -> [String: UnitStanding] {
        let answer = try await call("ListUnitsByPatterns", [.strings([]), .strings([pattern])], isRead: true)
        var units: [String: UnitStanding] = [:]
        for row in answer.first?.elements ?? [] {
            guard let members = row.elements, members.count >= 8, let name = members[0].text,
                let state = members[3].text, case .uint32(let job) = members[7]
            else { throw BusError(name: "System.Error.EBADMSG", message: "the list of units has another form") }
            units[name] = UnitStanding(activeState: state, hasJob: job != 0)
        }
        return units
    }
}
