internal import BackendKit
internal import CLinux
internal import Glibc
internal import PrefectFiles

/// The names of a process's output files.
struct OutputNames: Sendable {
    let output: String
    let errors: String

    /// The files of the flow run's own process.
    static let flow = OutputNames(output: "stdout", errors: "stderr")
}

extension ProcessSupervisor {
    /// Starts to copy the output that a process writes into its files.
    func follow(_ process: SupervisedProcess, in directory: RunDirectory, streams: OutputNames, name: String) {
        let source = { OutputSource(flowRunID: directory.flowRunID ?? "", flowRunName: name, stream: $0) }
        let notes = process.streamsOutput && streams.output == OutputNames.flow.output ? RunDirectory.progressName : nil
        if process.streamsOutput {
            process.output = OutputFollower(
                streams.output, of: directory, progressName: notes, slot: 0,
                source: source(.output))
        }
        process.errors = OutputFollower(
            streams.errors, of: directory, progressName: notes, slot: 1,
            source: source(.errors))
        guard process.output != nil || process.errors != nil else { return }
        if inotify == nil, !isPolling { startWatching() }
        if let inotify {
            let output = Directory.open(RunDirectory.outputName, below: directory.path)
            let watch = output.map { clinux_inotify_watch(inotify.raw, $0.raw) } ?? -1
            if watch >= 0 {
                process.outputWatch = watch
                watchedOutput[watch] = process.key
            } else {
                startPolling()
            }
        }
        copyOutput(process)
    }

    /// Copies the remaining output of a process that is no longer watched.
    func copyRest(in directory: RunDirectory, streamsOutput: Bool, name: String) {
        guard streamsOutput, directory.exists, finishedDirectories.insert(directory).inserted else { return }
        for (slot, stream, pump) in [(0, OutputSource.Stream.output, outputPump), (1, .errors, errorPump)] {
            let follower = OutputFollower(
                stream.rawValue, of: directory, progressName: RunDirectory.progressName, slot: slot,
                source: OutputSource(flowRunID: directory.flowRunID ?? "", flowRunName: name, stream: stream))
            if let follower {
                follower.finish()
                pump?.wake(follower)
            }
        }
    }

    /// Forgets a directory whose rest has been copied, because it is removed.
    func forgetOutput(in directory: RunDirectory) { finishedDirectories.remove(directory) }

    /// Records that a process writes no more, and copies the rest.
    func finishOutput(_ process: SupervisedProcess) {
        process.output?.finish()
        process.errors?.finish()
        copyOutput(process)
        process.output = nil
        process.errors = nil
        guard let watch = process.outputWatch else { return }
        process.outputWatch = nil
        // Another process of the same run may watch the same directory, with the same number.
        if watchedOutput[watch] == process.key {
            watchedOutput[watch] = nil
            if let inotify { _ = clinux_inotify_unwatch(inotify.raw, watch) }
        }
    }

    private func copyOutput(_ process: SupervisedProcess) {
        if process.streamsOutput {
            if let output = process.output { outputPump?.wake(output) }
            if let errors = process.errors { errorPump?.wake(errors) }
        } else {
            // The output has no reader, so only its space is freed.
            _ = process.errors?.copySome(to: nil)
        }
    }

    private func startWatching() {
        guard let created = Descriptor(owning: clinux_inotify_create()),
            loop.watch(created, { [weak self] _ in self?.assumeIsolated { $0.outputChanged() } }) != nil
        else {
            startPolling()
            return
        }
        inotify = created
    }

    private func outputChanged() {
        guard let inotify else { return }
        var watches = [Int32](repeating: 0, count: Int(CLINUX_INOTIFY_EVENTS))
        var changed: Set<Int32> = []
        for _ in 0..<16 {
            let count = clinux_inotify_read(inotify.raw, &watches, Int32(watches.count))
            if count <= 0 { break }
            changed.formUnion(watches[..<Int(count)])
        }
        if changed.contains(-1) { changed = Set(watchedOutput.keys) }
        for watch in changed {
            if let key = watchedOutput[watch], let process = process(key) { copyOutput(process) }
        }
    }

    /// Copies output at intervals, because the system provides no further file watch.
    private func startPolling() {
        guard !isPolling else { return }
        isPolling = true
        poll()
    }

    private func poll() {
        for process in running where process.outputWatch == nil { copyOutput(process) }
        loop.schedule(at: .now + .milliseconds(250)) { [weak self] in self?.assumeIsolated { $0.poll() } }
    }
}
