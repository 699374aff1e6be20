import Testing

@testable import WorkerKit

@Suite("Claim, submission, crash and recovery in every order")
struct ModelTests {
    /// Options of the model, with a name.
    struct Variant: CustomTestStringConvertible {
        let testDescription: String
        /// The number of states that the model must exceed. A model that has lost its steps has no breaches either.
        let leastStates: Int
        let options: ModelOptions

        init(_ description: String, states leastStates: Int, _ change: (inout ModelOptions) -> Void) {
            testDescription = description
            self.leastStates = leastStates
            var options = ModelOptions()
            change(&options)
            self.options = options
        }
    }

    private static func allowEverything(_ options: inout ModelOptions) {
        options.deaths = [.failed, .silent]
        options.losses = 1
        options.isCancellable = true
        options.serverEndsCancelling = true
        options.submissionMayFail = true
    }

    private static func beAlone(_ options: inout ModelOptions) {
        options.workers = 1
        options.attempts = 2
    }

    static let variants = [
        Variant(
            "a single worker that crashes twice, with lost answers, cancellation and failures", states: 7_000
        ) {
            beAlone(&$0)
            allowEverything(&$0)
            $0.contest = .unknown
            $0.crashes = 2
        },
        Variant("a single worker that expects other workers", states: 8_000) {
            beAlone(&$0)
            allowEverything(&$0)
            $0.crashes = 2
        },
        Variant("a worker whose last request arrives after its next process has begun its work", states: 9_000) {
            beAlone(&$0)
            allowEverything(&$0)
            $0.ghostsMayBeLate = true
        },
        Variant("two workers that know of each other and crash", states: 24_000) { _ in },
        Variant("two workers, one of which crashes, and a user who cancels", states: 30_000) {
            $0.onlyFirstCrashes = true
            $0.isCancellable = true
        },
        Variant("two workers with lost answers, cancellation and failures", states: 25_000) {
            allowEverything(&$0)
            $0.crashes = 0
            $0.losses = 2
        },
        Variant("two workers on a server that writes a claim long after it looked at the run", states: 7_000) {
            $0.onlyFirstCrashes = true
            $0.overlap = .lateClaims
        },
        Variant("two workers that shut down, of which one crashes", states: 20_000) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.overlap = .none
            $0.onlyFirstCrashes = true
        },
        Variant("two workers that shut down, and a user who cancels", states: 10_000) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.overlap = .none
            $0.crashes = 0
            $0.isCancellable = true
        },
        Variant(
            "two workers that do not know of each other and shut down, of which one crashes", states: 21_000
        ) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.overlap = .none
            $0.onlyFirstCrashes = true
            $0.contest = .unknown
        },
        Variant(
            "two workers that do not know of each other and crash, on a server without overlapping claims",
            states: 8_000
        ) {
            $0.contest = .unknown
            $0.overlap = .none
        },
        Variant("two workers that do not know of each other and crash", states: 44_000) { $0.contest = .unknown },
        Variant("two workers that may learn of each other, of which one crashes", states: 63_000) {
            $0.contest = .heardOfAnyTime
            $0.onlyFirstCrashes = true
        },
        Variant("two workers that may learn of each other, and a user who cancels", states: 30_000) {
            $0.contest = .heardOfAnyTime
            $0.crashes = 0
            $0.isCancellable = true
        },
        Variant("two workers, of which the one that crashes knows of the other", states: 7_000) {
            $0.contest = .knownToOne
            $0.onlyFirstCrashes = true
        },
    ]

    @Test("the run is started at most once and ends in the right state", arguments: variants)
    func holds(variant: Variant) {
        let exploration = Exploration(ClaimModel(variant.options))
        #expect(exploration.breaches.isEmpty, "\(exploration.account)")
        #expect(exploration.stateCount > variant.leastStates)
        #expect(exploration.endCount > 10)
    }

    // MARK: Mistakes and limits

    /// A mistake of a worker or a limit of the design, with the breach that it leads to.
    struct Failure: CustomTestStringConvertible {
        let variant: Variant
        let breach: ModelBreach

        var testDescription: String { variant.testDescription }

        init(_ description: String, leadsTo breach: ModelBreach, _ change: (inout ModelOptions) -> Void) {
            variant = Variant(description, states: 0, change)
            self.breach = breach
        }
    }

    static let mutations = [
        Failure("recording the start after it", leadsTo: .startedTwice) {
            beAlone(&$0)
            $0.mutation = .writesSubmittedAfterStart
        },
        Failure("forgetting a claim", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.mutation = .forgetsInsteadOfGoingOn
        },
        Failure("resuming a run that should be forgotten", leadsTo: .strandedWithoutEnd) {
            $0.mutation = .goesOnInsteadOfForgetting
            $0.onlyFirstCrashes = true
            $0.isCancellable = true
        },
        Failure("treating every run as this worker's run", leadsTo: .cancelledWhileItRuns) {
            $0.contest = .unknown
            $0.mutation = .takesEveryRunForOurs
            $0.onlyFirstCrashes = true
            $0.isCancellable = true
        },
        Failure("continuing with a run that another worker may have", leadsTo: .startedTwice) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.mutation = .goesOnWhoeverHasTheRun
        },
    ]

    static let flaws = [
        Failure("mistaking the worker's own mark for another worker's", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.flaws = .forgetsOwnMark
        },
        Failure("continuing without an answer about the mark", leadsTo: .startedTwice) {
            $0.crashes = 0
            $0.losses = 2
            $0.flaws = .givesUpMark
        },
        Failure("trusting the state that was read first", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.ghostsMayBeLate = true
            $0.flaws = .trustsFirstReading
        },
        Failure("forgetting a claim that may still arrive", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.ghostsMayBeLate = true
            $0.flaws = .forgetsUnansweredClaim
        },
        Failure("putting the mark on a former scheduled time", leadsTo: .strandedWithoutEnd) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.onlyFirstCrashes = true
            $0.overlap = .none
            $0.flaws = .marksFormerTime
        },
        Failure("giving back a cancelled run", leadsTo: .finalStateOverwritten) {
            $0.workers = 1
            $0.mayShutDown = true
            $0.isCancellable = true
            $0.flaws = .givesBackByForce
        },
        Failure("cancelling without asking which worker has the run", leadsTo: .cancelledWhileItRuns) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.isCancellable = true
            $0.flaws = .cancelsUnasked
        },
    ]

    /// Cases beyond two claims that are accepted at the same time, for workers that do not know of each other.
    static let limits = [
        Failure("a server that accepts two Submittings at the same time", leadsTo: .startedTwice) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.submissionsOverlap = true
        },
        Failure("a server that writes a claim over a later state", leadsTo: .startedTwice) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.overlap = .lateClaims
        },
        Failure("a Submitting that is lost while a claim is being written", leadsTo: .startedTwice) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.losses = 1
        },
        Failure("a run that only one of two workers can configure", leadsTo: .crashedWhileItRuns) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.submissionMayFail = true
        },
    ]

    @Test("a mistake of a worker leads to the expected breach", arguments: mutations + flaws)
    func isFound(failure: Failure) {
        let exploration = Exploration(ClaimModel(failure.variant.options))
        #expect(exploration.breaches[failure.breach] != nil, "\(exploration.account)")
    }

    @Test("a breach happens to workers that do not know of each other, but not to workers that do", arguments: limits)
    func isLimit(failure: Failure) {
        var options = failure.variant.options
        #expect(Exploration(ClaimModel(options)).breaches[failure.breach] != nil)
        options.contest = .known
        let exploration = Exploration(ClaimModel(options))
        #expect(exploration.breaches.isEmpty, "\(exploration.account)")
    }

    @Test("the bytes of a state have no gaps, because states are compared by their bytes")
    func layout() {
        let parts = [
            MemoryLayout<ModelServer>.size, MemoryLayout<ModelProcess>.size, 2 * MemoryLayout<ModelWorker>.size,
            2 * MemoryLayout<UInt8>.size, MemoryLayout<ModelBreach?>.size,
        ]
        #expect(MemoryLayout<ModelWorld>.size == parts.reduce(0, +))
        #expect(MemoryLayout<ModelProcess>.alignment == 1 && MemoryLayout<ModelWorker>.alignment == 1)
        #expect(MemoryLayout<ModelServer>.size == 16 + 4)
    }
}
