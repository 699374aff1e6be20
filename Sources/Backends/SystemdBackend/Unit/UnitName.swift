internal import BackendKit
internal import Glibc
internal import PrefectJSON

/// The name of the unit of a run. It consists of the run's id and the worker's claim on the run. So each attempt at a
/// run has its own unit, and two requests to create that unit have the same name.
struct UnitName: Sendable, Hashable {
    let name: String

    static let prefix = "prefect-run-"
    private static let suffix = ".service"

    /// The unit of a claim on a run.
    init(flowRunID: String, claimID: String) {
        let claim = String(claimID.filter { $0.isASCII && $0.isHexDigit }.suffix(12))
        name = "\(Self.prefix)\(Self.plain(flowRunID))-\(claim)\(Self.suffix)"
    }

    /// The unit of the flow's hooks, which run after this unit has ended.
    func hooks(_ kind: FlowHook) -> UnitName { UnitName(verbatim: "\(stem).\(kind.rawValue)\(Self.suffix)") }

    /// The unit that removes the workspace of this unit.
    var removal: UnitName { UnitName(verbatim: "\(stem).removal\(Self.suffix)") }

    private init(verbatim name: String) { self.name = name }

    /// Reads the name of a unit; `nil` when it is not the unit of a run.
    init?(_ name: String) {
        guard name.hasPrefix(Self.prefix), name.hasSuffix(Self.suffix), name == Self.plain(name), name.count < 200
        else { return nil }
        self.name = name
    }

    /// Keeps only the characters that need no escape in the name of a unit.
    private static func plain(_ text: String) -> String {
        text.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") }
    }

    /// The name without its type.
    var stem: String { String(name.dropLast(Self.suffix.count)) }

    /// The id of the run.
    var flowRunID: String {
        let middle = stem.dropFirst(Self.prefix.count)
        return String(middle.prefix(upTo: middle.lastIndex(of: "-") ?? middle.endIndex))
    }
}

/// A unit, from the identifier in the API: the host's name, a colon, and the unit's name.
struct UnitHandle: Sendable {
    let unit: UnitName

    /// The identifier of a unit on this host.
    static func identifier(of unit: UnitName, host: String = hostName()) -> InfrastructureIdentifier {
        InfrastructureIdentifier(rawValue: "\(host):\(unit.name)")
    }

    /// Reads an identifier. Throws when it does not name a unit on this host.
    init(_ identifier: InfrastructureIdentifier, host: String = hostName()) throws(InfrastructureError) {
        let text = identifier.rawValue
        guard let colon = text.lastIndex(of: ":"), let unit = UnitName(String(text[text.index(after: colon)...])) else {
            throw InfrastructureError(.notReachable, "'\(text)' is not the identifier of a flow run's unit")
        }
        guard text[..<colon] == host else {
            throw InfrastructureError(
                .notReachable,
                "Unit '\(unit.name)' is on host '\(text[..<colon])', but this host is '\(host)'; use a worker there")
        }
        self.unit = unit
    }
}

/// The name of this host.
func hostName() -> String {
    var bytes = [CChar](repeating: 0, count: 256)
    guard gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
    return String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
