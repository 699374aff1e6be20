package import OrderedCollections

/// The environment of a flow run's process on the worker's own host.
package struct ProcessEnvironment: Sendable, Hashable {
    /// The worker's environment with the job's variables over it. The Python worker would start the process with it,
    /// and the configuration shows it.
    package var configured: OrderedDictionary<String, String>
    /// The environment that the process is started with. It lacks the variables that the configuration sets to null.
    package var launched: OrderedDictionary<String, String>
}

/// Merges the environment of a job over the worker's own, for a process that inherits it.
///
/// - Parameters:
///   - inherited: The worker's environment, in its order.
///   - prepared: The job, whose variables win. Its null variables are inherited in ``ProcessEnvironment/configured``,
///     as in the Python worker, but not in ``ProcessEnvironment/launched``.
package func mergeProcessEnvironment(
    inherited: some Sequence<(key: String, value: String)>, prepared: PreparedJobConfiguration
) -> ProcessEnvironment {
    var configured = OrderedDictionary(inherited.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    configured.merge(prepared.env) { $1 }
    let unset = Set(prepared.unsetEnv)
    return ProcessEnvironment(configured: configured, launched: configured.filter { !unset.contains($0.key) })
}

/// The command that runs a flow in a process on the worker's own host when none is configured.
///
/// - Parameter interpreter: The path of the Python interpreter, quoted where a shell would need it.
package func processEngineCommand(interpreter: String) -> String {
    "\(shellQuoted(interpreter)) -m prefect.engine"
}

/// The word in a form that a POSIX shell reads back unchanged, as Python's `shlex.quote` writes it.
func shellQuoted(_ word: String) -> String {
    let isPlain = word.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_@%+=:,./-".utf8.contains(byte)
        }
    }
    return isPlain && !word.isEmpty ? word : singleQuoted(word, quote: #"'"'"'"#)
}

/// The word in single quotes, which a POSIX shell reads back unchanged.
///
/// - Parameter quote: The form of a single quote within the word.
package func singleQuoted(_ word: String, quote: String = #"'\''"#) -> String {
    // A split of characters would not find a quote before a combining character.
    let parts = word.utf8.split(separator: UInt8(ascii: "'"), omittingEmptySubsequences: false)
    return "'\(parts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: quote))'"
}
