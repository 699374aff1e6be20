/// The environment variables on which the imports of Prefect's flow engine depend. Runs whose values of them differ
/// cannot be copies of the same process.
struct EngineVariables: Hashable, Sendable {
    /// The further names that the imports of an interpreter have read.
    var read: Set<String> = []
    /// Whether the imports have read all variables for an unknown purpose.
    var isComplete = false

    /// The interpreter, the C library or the settings of Prefect and of its libraries read the variables with these
    /// beginnings.
    private static let prefixes = [
        "PREFECT_", "PYTHON", "LD_", "LC_", "MALLOC_", "GLIBC_", "OPENSSL_", "PYDANTIC_", "OTEL_", "FSSPEC_", "ASAN_",
    ]
    private static let names: Set<String> = [
        "LANG", "LANGUAGE", "TZ", "HOME", "VIRTUAL_ENV", "SSLKEYLOGFILE", "__PYVENV_LAUNCHER__",
    ]
    /// A shell sets these for each program, and no import depends on them.
    private static let shellNames: Set<String> = ["_", "PWD", "OLDPWD", "SHLVL"]

    /// Whether a variable is one of a single run, which is no setting.
    static func isOfRun(_ name: String) -> Bool { name.hasPrefix("PREFECT__") }

    /// Whether the imports depend on a variable.
    func contains(_ name: String) -> Bool {
        if Self.isOfRun(name) || Self.shellNames.contains(name) { return false }
        if isComplete || read.contains(name) || Self.names.contains(name) { return true }
        // Prefect accepts the names of its settings in any case.
        return Self.prefixes.contains { name.hasPrefix($0) } || name.uppercased().hasPrefix("PREFECT_")
    }

    /// The values of these variables in an environment.
    func values(in environment: [String: String]) -> [String: String] { environment.filter { contains($0.key) } }
}
