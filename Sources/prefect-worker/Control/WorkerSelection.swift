import ArgumentParser
import FoundationEssentials
import HTTPTransport
import PrefectClient
import WorkerKit

/// Flags that name a running worker of this host.
struct WorkerSelection: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The worker's state directory. Default: STATE_DIRECTORY, else all below PREFECT_HOME/prefect-worker.",
            valueName: "directory"),
        completion: .directory)
    var stateDir: String?

    @Option(name: .shortAndLong, help: "The worker's name, if several workers run on this host.")
    var name: String?

    /// The running workers that the flags name.
    struct Selected {
        /// The workers that answer; at least one, unless one is silent.
        var workers: [RunningWorker] = []
        /// Why workers that run do not answer.
        var silent: [Refusal] = []
    }

    /// Returns the running workers that the flags name.
    ///
    /// - Parameter canBeSeveral: Whether the user has asked for all workers. Otherwise, there is exactly one.
    /// - Throws: `Refusal` if there is none, or if there are several unexpectedly.
    func select(_ settings: PrefectSettings, canBeSeveral: Bool) async throws -> Selected {
        let directories = StateDirectories.existing(
            stateDir, settings: settings, environment: ProcessInfo.processInfo.environment)
        let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
        var selected = Selected()
        for directory in directories {
            do throws(Refusal) {
                guard let worker = try await RunningWorker(stateDirectory: directory, over: transport) else { continue }
                if let name, !worker.names.contains(name) { continue }
                selected.workers.append(worker)
            } catch {
                selected.silent.append(error)
            }
        }
        if canBeSeveral, !selected.workers.isEmpty || !selected.silent.isEmpty { return selected }
        if selected.workers.count > 1 {
            let names = selected.workers.map(\.description).joined(separator: "; ")
            throw Refusal("Several workers run on this host: \(names); choose one with --state-dir or --name")
        }
        // A silent worker may be the one that is meant, unless its name distinguishes the other one.
        if let silent = selected.silent.first, name == nil || selected.workers.isEmpty { throw silent }
        guard selected.workers.isEmpty else { return selected }
        let which = name.map { "No worker with the name '\($0)'" } ?? "No worker"
        let place = directories.count == 1 ? " in '\(directories[0])'" : " below '\(settings.home)/prefect-worker'"
        throw Refusal("\(which) answers\(place); name the state directory of a running worker with --state-dir")
    }
}
