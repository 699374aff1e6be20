@testable import WorkerKit

/// The variable parts of a model of two workers, a server, a flow run and its process.
struct ModelOptions {
    /// The claims that a server accepts although it has accepted another one.
    enum Overlap {
        case none
        /// Claims that arrive while the other one is being written: both find the run scheduled.
        case claims
        /// Claims that the server judged long before. It writes them over every later state except a final one.
        case lateClaims
    }

    /// The knowledge that the workers have of each other.
    enum PeerWorkers {
        case known
        case unknown
        /// The workers may learn of each other at any time, or never.
        case heardOfAnyTime
        /// Only the first worker knows of the other.
        case knownToOne
    }

    var workers = 2
    /// The number of times that each worker may crash.
    var crashes: UInt8 = 1
    /// Whether only the first worker may crash.
    var onlyFirstCrashes = false
    /// The number of times that a worker takes the run from a poll.
    var attempts: UInt8 = 1
    var contest = PeerWorkers.known
    var overlap = Overlap.claims
    /// Whether the server may accept two Submittings in the same way.
    var submissionsOverlap = false
    /// The number of answers or requests that may be lost.
    var losses: UInt8 = 0
    /// Whether a user may cancel the run.
    var isCancellable = false
    /// Whether a Cancelling run that no worker holds counts as ended, because the server ends it after a while.
    var serverEndsCancelling = false
    /// The ways in which the process may end before it has set the run's final state, or directly afterwards.
    var deaths: [RunMachine.End] = [.failed]
    /// Whether a worker may fail to configure or to start the run.
    var submissionMayFail = false
    /// Whether a worker may receive a request to shut down before it has started the run.
    var mayShutDown = false
    /// Whether the server may apply a request of a dead worker after its next process has begun its work.
    var ghostsMayBeLate = false
    var flaws: ModelFlaws = []
    var mutation = ModelDecisions.Mutation.none

    func isContestOn(_ id: ModelWorkerID) -> Bool {
        switch contest {
        case .known: true
        case .unknown, .heardOfAnyTime: false
        case .knownToOne: id == .first
        }
    }
}

/// Mistakes of a worker that is less careful than the worker of the model.
struct ModelFlaws: OptionSet, Hashable {
    let rawValue: UInt8

    /// A recovery mistakes the mark of its earlier process for another worker's mark.
    static let forgetsOwnMark = ModelFlaws(rawValue: 1)
    /// A worker whose request for the mark is not answered continues as if it were alone.
    static let givesUpMark = ModelFlaws(rawValue: 2)
    /// A recovery that resumes a claim trusts the state that it read before it determined the status.
    static let trustsFirstReading = ModelFlaws(rawValue: 4)
    /// A recovery forgets a scheduled run although the claim that was sent for it may still arrive.
    static let forgetsUnansweredClaim = ModelFlaws(rawValue: 8)
    /// A worker whose Submitting is refused ends a Cancelling run without asking which worker has the run.
    static let cancelsUnasked = ModelFlaws(rawValue: 16)
    /// A worker that shuts down gives a run back in any state.
    static let givesBackByForce = ModelFlaws(rawValue: 32)
    /// A recovery puts its mark on the time for which the run was first scheduled.
    static let marksFormerTime = ModelFlaws(rawValue: 64)

    /// Whether the first read of a recovery makes a difference.
    var needFirstReading: Bool { contains(.forgetsOwnMark) || contains(.trustsFirstReading) }
}
