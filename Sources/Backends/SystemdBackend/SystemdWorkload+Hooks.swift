internal import BackendKit
internal import PrefectJSON
internal import Synchronization

extension SystemdWorkload {
    /// Runs each of the flow's hooks once, in a separate unit. The unit has the user, the sandbox, the limits and the
    /// workspace of the run. A failure is written to the run's log and does not keep the other hooks from running. A
    /// flow without such hooks is skipped without a message.
    func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?
    ) async {
        guard !backend.root.isEmpty else { return }
        let words = configuration.words
        guard let python = HookScript.interpreter(for: kind, of: run, words: words, otherwise: backend.interpreter)
        else {
            return
        }
        let runUnit = identifier.flatMap { try? UnitHandle($0).unit }
        let unit = (runUnit ?? UnitName(flowRunID: run.flowRunID, claimID: run.claimID)).hooks(kind)
        let directory = UnitDirectory(of: unit, in: backend.root)
        backend.inUse.add(unit.name)
        // The directory of a run's hooks is removed with the run's, so that a later worker does not run the hooks
        // again.
        defer {
            if runUnit == nil { directory.remove() }
            backend.inUse.remove(unit.name)
        }
        do {
            let transient = TransientUnit(
                unit: unit, directory: directory, configuration: configuration, flowRunID: run.flowRunID,
                flowRunName: run.flowRunName,
                hooks: .init(
                    kind: kind, state: String(decoding: state.serializedBytes(), as: UTF8.self), interpreter: python,
                    run: runUnit))
            try directory.create(transient, streams: configuration.streamsOutput && backend.copier != nil)
            try await launch(transient)
            let end = try await end(of: unit)
            guard end?.code != 0 || end?.result != "success" else { return }
            if end?.code == HookScript.noWorkspace {
                HookScript.reportMissingWorkspace(kind, for: run)
                return
            }
            let limits = configuration.resources.limits
            var status = end?.status(limits, lastOutput: await lastOutput(of: unit))
            if end?.result == "timeout" {
                status = ExitStatus(code: nil, lastOutput: "they took longer than \(HookScript.timeLimit)")
            }
            let detail = (status?.lastOutput ?? status?.reason)?.split(separator: "\n").last.map { ": \($0)" } ?? ""
            run.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run\(detail)")
        } catch is CancellationError {
            run.reporter.log(
                .info, "The flow's on_\(kind.rawValue) hooks continue without the worker as '\(unit.name)'")
        } catch {
            run.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run: \(error)")
        }
    }
}
