public import JSON
internal import Synchronization
public import Worker

extension SystemdBackend {
    /// Runs each of the flow's hooks once, in a separate unit. The unit has the user, the sandbox, the limits and the
    /// workspace of the run. A failure is written to the run's log and does not keep the other hooks from running. A
    /// flow without such hooks is skipped without a message.
    public func runHooks(
        _ kind: FlowHook, state: JSONValue, of identifier: InfrastructureIdentifier?, job: Job<SystemdConfiguration>
    ) async {
        guard !root.isEmpty else { return }
        let words = job.configuration.words
        guard let python = HookScript.interpreter(for: kind, of: job, words: words, otherwise: interpreter) else {
            return
        }
        let run = identifier.flatMap { try? UnitHandle($0).unit }
        let unit = (run ?? UnitName(flowRunID: job.flowRunID, claimID: job.claimID)).hooks(kind)
        let folder = UnitFolder(of: unit, in: root)
        inHand.withLock { _ = $0.units.insert(unit) }
        // The directory of a run's hooks is removed with the run's, so that a later worker does not run the hooks
        // again.
        defer {
            if run == nil { folder.remove() }
            inHand.withLock { _ = $0.units.remove(unit) }
        }
        do {
            let transient = TransientUnit(
                unit: unit, folder: folder, configuration: job.configuration, flowRunID: job.flowRunID,
                flowRunName: job.flowRunName,
                hooks: .init(
                    kind: kind, state: String(decoding: state.serializedBytes(), as: UTF8.self), interpreter: python,
                    run: run))
            try folder.create(transient, streams: job.configuration.streamsOutput && copier != nil)
            try await launch(transient)
            let end = try await end(of: unit)
            guard end?.code != 0 || end?.result != "success" else { return }
            if end?.code == HookScript.noWorkspace {
                HookScript.reportMissingWorkspace(kind, of: job)
                return
            }
            let limits = job.configuration.resources.limits
            var status = end?.status(limits, lastOutput: await lastOutput(of: unit))
            if end?.result == "timeout" {
                status = ExitStatus(code: nil, lastOutput: "they took longer than \(HookScript.timeLimit)")
            }
            let detail = (status?.lastOutput ?? status?.reason)?.split(separator: "\n").last.map { ": \($0)" } ?? ""
            job.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run\(detail)")
        } catch is CancellationError {
            job.reporter.log(
                .info, "The flow's on_\(kind.rawValue) hooks continue without the worker as '\(unit.name)'")
        } catch {
            job.reporter.log(.warning, "The flow's on_\(kind.rawValue) hooks could not be run: \(error)")
        }
    }
}
