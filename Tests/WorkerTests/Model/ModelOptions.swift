@testable import Worker

/// What is left to chance in a model of two workers, a server, a flow run and its process.
struct ModelOptions {
    /// Which claims a server accepts although it has accepted another one.
    enum Overlap {
        case none
        /// Those that came while the other was written: both find the run scheduled.
        case claims
        /// Those that the server looked at long before, whatever has become of the run, unless it has ended.
        case lateClaims
    }

    /// What the workers know of each other.
    enum Contest {
        case known
        case unknown
        /// They may hear of each other at any time, or never.
        case heardOfAnyTime
        /// Only the first knows.
        case knownToOne
    }

    var workers = 2
    /// How often each worker may crash.
    var crashes: UInt8 = 1
    /// Whether only the first may.
    var onlyFirstCrashes = false
    /// How often a worker takes the run of a poll.
    var attempts: UInt8 = 1
    var contest = Contest.known
    var overlap = Overlap.claims
    /// Whether it may accept two Submittings in the same way.
    var submissionsOverlap = false
    /// How many answers, or requests, may be lost.
    var losses: UInt8 = 0
    /// Whether a user may cancel the run.
    var isCancellable = false
    /// Whether a run that is being cancelled and that nobody holds counts as ended: the server ends it after a while.
    var serverEndsCancelling = false
    /// How the process may end before it has said how the run ends, or right after that.
    var deaths: [RunMachine.End] = [.failed]
    /// Whether a worker may fail to configure or to start the run.
    var submissionMayFail = false
    /// Whether a worker may be told to leave before it has started the run.
    var mayShutDown = false
    /// Whether a request of a worker that died may be applied when its next process is at work already.
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

/// What a worker could do less carefully than the model has it do.
struct ModelFlaws: OptionSet, Hashable {
    let rawValue: UInt8

    /// A recovery takes the mark that its earlier process has left for another worker's.
    static let forgetsOwnMark = ModelFlaws(rawValue: 1)
    /// A worker whose question for the mark is not answered goes on as if it were alone.
    static let givesUpMark = ModelFlaws(rawValue: 2)
    /// A recovery that goes on with a claim trusts the state that it had read before it looked at the standing.
    static let trustsFirstReading = ModelFlaws(rawValue: 4)
    /// A recovery forgets a run that is scheduled, although the claim that was sent for it may still come.
    static let forgetsUnansweredClaim = ModelFlaws(rawValue: 8)
    /// A worker whose Submitting is refused ends a run that is being cancelled without asking whose it is.
    static let cancelsUnasked = ModelFlaws(rawValue: 16)
    /// A worker that is told to leave gives a run back whatever has become of it.
    static let givesBackByForce = ModelFlaws(rawValue: 32)
    /// A recovery leaves its mark for the time for which the run was planned first.
    static let marksFormerTime = ModelFlaws(rawValue: 64)

    /// Whether what a recovery reads first makes a difference.
    var needFirstReading: Bool { contains(.forgetsOwnMark) || contains(.trustsFirstReading) }
}
