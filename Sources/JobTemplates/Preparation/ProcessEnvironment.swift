public import OrderedCollections

/// The environment of a flow run's process on the worker's own host.
public struct ProcessEnvironment: Sendable, Hashable {
    /// The worker's environment with the job's over it: what the Python worker would start the process with, and what
    /// the configuration shows.
    public var configured: OrderedDictionary<String, String>
    /// What the process is started with: the same without the variables that the configuration sets to null.
    public var launched: OrderedDictionary<String, String>
}

/// Merges the environment of a job over the worker's own, for a process that inherits it.
///
/// - Parameters:
///   - inherited: the worker's environment, in its order.
///   - prepared: the job, whose variables win. The ones that it sets to null are inherited in
///     ``ProcessEnvironment/configured``, as the Python worker has it, but not in ``ProcessEnvironment/launched``.
public func mergeProcessEnvironment(
    inherited: some Sequence<(key: String, value: String)>, prepared: PreparedJobConfiguration
) -> ProcessEnvironment {
    var configured = OrderedDictionary(inherited.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    configured.merge(prepared.env) { $1 }
    let unset = Set(prepared.unsetEnv)
    return ProcessEnvironment(configured: configured, launched: configured.filter { !unset.contains($0.key) })
}

/// The command that runs a flow in a process on the worker's own host when none is configured.
///
/// - Parameter interpreter: the path of the Python interpreter, quoted where a shell would need it.
public func processEngineCommand(interpreter: String) -> String {
    "\(shellQuoted(interpreter)) -m prefect.engine"
}

/// The word as a POSIX shell reads it back.
func shellQuoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_@%+=:,./-".utf8.contains(byte)
        }
    }
    if isPlain, !word.isEmpty { return word }
    let parts = word.utf8.split(separator: UInt8(ascii: "'"), omittingEmptySubsequences: false)
    return "'\(parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "'\"'\"'"))'"
}
