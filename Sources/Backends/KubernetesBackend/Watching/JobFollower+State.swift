internal import BackendKit
internal import PrefectConcurrency

extension JobFollower {
    /// The state that the follower shares with the tasks at its side.
    struct Shared: Sendable {
        /// The number of tasks whose work outlasts the end of the job.
        var unfinished: Int
        /// Whether a pod's flow has begun.
        var hasBegun = false
        var lastNotice = ContinuousClock.now
    }

    /// The state of the following. Only the follower's own task uses it.
    final class Following {
        let waiting = PendingReport()
        let shared: ObservedValue<Shared>
        let begun: AsyncStream<PodOutput>
        let begin: AsyncStream<PodOutput>.Continuation
        private(set) var progress: JobProgress
        private var podReporter: PodEventReporter
        private let reportsPods: Bool
        /// When the wait for the pods of a deleted job is over.
        private var drainEnd: ContinuousClock.Instant?

        @inline(never)
        init(_ follower: JobFollower) {
            let attention = follower.attention
            reportsPods = attention.reportsPods
            shared = ObservedValue(Shared(unfinished: attention.output == nil ? 1 : 2))
            let (begun, begin) = AsyncStream.makeStream(of: PodOutput.self)
            (self.begun, self.begin) = (begun, begin)
            progress = JobProgress(uid: follower.place.uid)
            podReporter = PodEventReporter(
                reporter: follower.reporter, waiting: waiting, replicating: follower.backend.settings.replicated,
                isLate: attention.isLate
            ) { begin.yield(PodOutput($0)) }
        }

        var isOver: Bool { @inline(never) get { progress.isOver } }

        /// Handles a notification. Returns whether the pods are to be read.
        @inline(never)
        func handle(_ notice: ClusterWatch.Watch.Notice) -> Bool {
            let readsPods = report(progress.handle(notice))
            shared.update { [hasBegun = progress.hasBegun] in
                $0.lastNotice = .now
                $0.hasBegun = hasBegun
            }
            return readsPods
        }

        /// Handles the pods as they were read; `nil` means that they cannot be read.
        @inline(never)
        func handle(pods: [PodSnapshot]?) {
            if let pods { _ = report(progress.handle(pods: pods)) }
            if pods == nil || drainEnd.map({ $0 <= .now }) == true { progress.handlePodsUnreadable() }
        }

        private func report(_ actions: [JobProgress.Action]) -> Bool {
            for case .report(let pod) in actions where reportsPods { podReporter.report(pod) }
            return actions.contains(.readPods)
        }

        /// Whether the notification means that the worker has to explain why the pod has not begun.
        @inline(never)
        func isLate(_ notice: ClusterWatch.Watch.Notice) -> Bool {
            guard case .event(.due) = notice else { return false }
            return progress.end == nil && !progress.hasBegun
        }

        /// Whether the wait for the pods of a deleted job begins now.
        @inline(never)
        func beginsDrain() -> Bool {
            guard progress.end == .gone, !progress.isOver, drainEnd == nil else { return false }
            drainEnd = .now + JobFollower.drainLimit
            return true
        }
    }
}

/// A pod whose output is copied.
struct PodOutput: Sendable {
    let name: String
    let uid: String
    let container: String

    init(_ pod: PodSnapshot) {
        name = pod.name
        uid = pod.uid
        container = pod.flowContainer?.name ?? PodSnapshot.flowContainerName
    }
}
