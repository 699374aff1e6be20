internal import BackendKit
internal import PrefectConcurrency

extension JobFollower {
    /// The state of the following. Only the follower's own task uses it.
    final class Following {
        let feed: JobFeed
        /// Whether the feed lacks earlier events.
        let isIncomplete: Bool
        let waiting = PendingReport()
        /// The number of tasks whose work outlasts the end of the job.
        let unfinished: ObservedValue<Int>
        let begun: AsyncStream<PodOutput>
        let begin: AsyncStream<PodOutput>.Continuation
        private(set) var progress: JobProgress
        private var teller: PodEventReporter
        private var times: FollowingTimes
        private let attention: FollowerAttention

        init(_ follower: JobFollower, _ feed: JobFeed, isIncomplete: Bool) {
            self.feed = feed
            self.isIncomplete = isIncomplete
            attention = follower.attention
            unfinished = ObservedValue(attention.output == nil ? 1 : 2)
            let (begun, begin) = AsyncStream.makeStream(of: PodOutput.self)
            (self.begun, self.begin) = (begun, begin)
            progress = JobProgress(uid: follower.place.uid)
            teller = PodEventReporter(
                reporter: follower.reporter, waiting: waiting, replicating: follower.backend.settings.replicated,
                isLate: attention.isLate
            ) { begin.yield(PodOutput($0)) }
            times = FollowingTimes(jobWatch: attention.jobWatch, podWatch: attention.podWatch)
        }

        var isOver: Bool { @inline(never) get { progress.isOver } }

        /// The longest time to wait for a notification; `nil` for no limit.
        var limit: Duration? { @inline(never) get { times.limit(progress) } }

        /// Handles notifications; none means that the time limit has passed. Returns the resulting actions.
        @inline(never)
        func handle(_ news: [JobNews]) -> [JobProgress.Action] {
            let actions = news.flatMap { progress.handle($0) }
            if news.isEmpty { return times.elapsed(progress) }
            times.newsCame()
            return actions
        }

        @inline(never)
        func handle(read job: JobSnapshot?) -> [JobProgress.Action] { progress.handle(read: job) }

        @inline(never)
        func handle(pods: [PodSnapshot]?) -> [JobProgress.Action] {
            if let pods { return progress.handle(pods: pods) }
            progress.handlePodsUnreadable()
            return []
        }

        /// Reports the pods that the first of some actions name. Returns the remaining actions.
        @inline(never)
        func tell(_ actions: [JobProgress.Action]) -> [JobProgress.Action] {
            for (index, action) in actions.enumerated() {
                guard case .tell(let pod) = action else { return Array(actions[index...]) }
                if attention.reportsPods { teller.tell(pod) }
            }
            return []
        }

        /// The progress, if the worker has to explain why the pod has not begun.
        @inline(never)
        func lateProgress() -> JobProgress? { times.isPodLate(progress) ? progress : nil }

        /// Stops waiting for the pods of a deleted job when that has taken too long.
        @inline(never)
        func limitDrain() {
            if progress.end == .gone, times.hasDrained() { progress.handlePodsUnreadable() }
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
