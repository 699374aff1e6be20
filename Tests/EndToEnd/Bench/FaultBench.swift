import PrefectJSON
import TestSupport
import Testing

/// A bench whose workers reach the server only through a fault proxy. The tests connect to the server directly. So do
/// the runs, by default.
struct FaultBench: Sendable {
    /// The pool, the server and the directory.
    let bench: TestBench
    /// The proxy between the workers and the server.
    let proxy: FaultProxy
    private let deployment: String
    private let program: String

    /// The expected end of a run.
    enum Ending: String, Sendable {
        case completed = "Completed"
        /// With the exit code 3, after a last line.
        case crashed = "Crashed"
        case cancelled = "Cancelled"
    }

    /// A run that a test waits for.
    struct Run: Sendable {
        let id: String
        let ending: Ending
    }

    fileprivate init(_ bench: TestBench, _ proxy: FaultProxy) async throws {
        self.bench = bench
        self.proxy = proxy
        program = try bench.write("quick.py", FlowSource.quickRun)
        deployment = try await bench.deploy(command: "true")
    }

    /// The duration of a run.
    enum Span: Sendable {
        case seconds(Double)
        /// Until `happens(_:)` is called with this word.
        case until(String)
    }

    /// Creates runs that are due now.
    ///
    /// - Parameters:
    ///   - count: The number of runs.
    ///   - span: The duration of each run.
    ///   - ending: The expected end of each run.
    ///   - throughProxy: Whether the runs also reach the server through the proxy.
    func add(
        _ count: Int, lasting span: Span, ending: Ending = .completed, throughProxy: Bool = false
    ) async throws -> [Run] {
        let end =
            switch span {
            case .seconds(let seconds): "\(seconds)"
            case .until(let word): file(of: word)
            }
        var runs: [Run] = []
        for _ in 0..<count {
            let command = "python \(program) \(bench.directory)/runs \(end)" + (ending == .crashed ? " crash" : "")
            let variables: JSONValue = [
                "command": .string(command),
                "env": ["PREFECT_API_URL": .string(throughProxy ? proxy.url : bench.server.url)],
            ]
            let id = try await bench.server.createRun(deployment: deployment, jobVariables: variables)
            runs.append(Run(id: id, ending: ending))
        }
        return runs
    }

    /// Ends the runs that last until this word.
    func happens(_ word: String) throws {
        _ = try bench.write(word, "")
    }

    /// The path of the file that `happens(_:)` creates for a word.
    private func file(of word: String) -> String { "\(bench.directory)/\(word)" }

    /// The environment of a worker behind the proxy.
    func environment(_ others: [String: String] = [:]) -> [String: String] {
        ["PREFECT_API_URL": proxy.url].merging(others) { $1 }
    }

    /// The ids of the runs that have noted this word (`begin` or `end`), in the order of their notes.
    func noted(_ word: String) -> [String] {
        bench.notes("runs").filter { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
    }

    /// Waits until all of these runs have noted this word.
    func wait(for word: String, of runs: [Run]) async throws {
        let what = "\(runs.count) runs have noted their \(word)"
        try await eventually(within: .seconds(120), what, every: .milliseconds(50)) {
            Set(noted(word)).isSuperset(of: runs.map(\.id))
        }
    }
}

/// Runs `body` with a new bench behind a fault proxy, and removes everything afterwards.
func withFaultBench<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (FaultBench) async throws -> Result
) async throws -> Result {
    try await withTestBench { bench in
        try await withFaultProxy(to: bench.server.url) { proxy in
            try await body(FaultBench(bench, proxy))
        }
    }
}
