import Testing

@testable import Worker

@Suite("Claim, submission, crash and recovery in every order")
struct ModelTests {
    /// What is left to chance, under a name.
    struct Variant: CustomTestStringConvertible {
        let testDescription: String
        /// There are at least so many states; a model that has lost its steps would be without breaches as well.
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
            "a worker that is alone and crashes twice, with lost answers, cancellation and failures", states: 7_000
        ) {
            beAlone(&$0)
            allowEverything(&$0)
            $0.contest = .unknown
            $0.crashes = 2
        },
        Variant("a worker that is alone and takes others to be about", states: 8_000) {
            beAlone(&$0)
            allowEverything(&$0)
            $0.crashes = 2
        },
        Variant("a worker whose last request comes when its next process is at work", states: 9_000) {
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
        Variant("a server that writes a claim long after it looked at the run", states: 7_000) {
            $0.onlyFirstCrashes = true
            $0.overlap = .lateClaims
        },
        Variant("two workers that are told to leave, of which one crashes", states: 20_000) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.overlap = .none
            $0.onlyFirstCrashes = true
        },
        Variant("two workers that are told to leave, and a user who cancels", states: 10_000) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.overlap = .none
            $0.crashes = 0
            $0.isCancellable = true
        },
        Variant(
            "two workers that do not know of each other and are told to leave, of which one crashes", states: 21_000
        ) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.overlap = .none
            $0.onlyFirstCrashes = true
            $0.contest = .unknown
        },
        Variant("two workers that do not know of each other and crash, on a server without overlap", states: 8_000) {
            $0.contest = .unknown
            $0.overlap = .none
        },
        Variant("two workers that do not know of each other and crash", states: 44_000) { $0.contest = .unknown },
        Variant("two workers that may hear of each other, of which one crashes", states: 63_000) {
            $0.contest = .heardOfAnyTime
            $0.onlyFirstCrashes = true
        },
        Variant("two workers that may hear of each other, and a user who cancels", states: 30_000) {
            $0.contest = .heardOfAnyTime
            $0.crashes = 0
            $0.isCancellable = true
        },
        Variant("two workers, of which the one that crashes knows of the other", states: 7_000) {
            $0.contest = .knownToOne
            $0.onlyFirstCrashes = true
        },
    ]

    @Test("the run is started at most once and ends as what it was", arguments: variants)
    func holds(variant: Variant) {
        let exploration = Exploration(ClaimModel(variant.options))
        #expect(exploration.breaches.isEmpty, "\(exploration.account)")
        #expect(exploration.stateCount > variant.leastStates)
        #expect(exploration.endCount > 10)
    }

    // MARK: What would go wrong

    /// Something that is done wrongly, or cannot be done, with what comes of it.
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
        Failure("writing down the start after it", leadsTo: .startedTwice) {
            beAlone(&$0)
            $0.mutation = .writesSubmittedAfterStart
        },
        Failure("forgetting a claim", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.mutation = .forgetsInsteadOfGoingOn
        },
        Failure("going on with what is to be forgotten", leadsTo: .strandedWithoutEnd) {
            $0.mutation = .goesOnInsteadOfForgetting
            $0.onlyFirstCrashes = true
            $0.isCancellable = true
        },
        Failure("taking every run for this worker's", leadsTo: .cancelledWhileItRuns) {
            $0.contest = .unknown
            $0.mutation = .takesEveryRunForOurs
            $0.onlyFirstCrashes = true
            $0.isCancellable = true
        },
        Failure("going on whoever has the run", leadsTo: .startedTwice) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.mutation = .goesOnWhoeverHasTheRun
        },
    ]

    static let flaws = [
        Failure("taking one's own mark for another's", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.flaws = .forgetsOwnMark
        },
        Failure("going on without an answer about the mark", leadsTo: .startedTwice) {
            $0.crashes = 0
            $0.losses = 2
            $0.flaws = .givesUpMark
        },
        Failure("trusting what was read first", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.ghostsMayBeLate = true
            $0.flaws = .trustsFirstReading
        },
        Failure("forgetting a claim that may still come", leadsTo: .strandedWithoutEnd) {
            beAlone(&$0)
            $0.ghostsMayBeLate = true
            $0.flaws = .forgetsUnansweredClaim
        },
        Failure("leaving the mark for a time that is over", leadsTo: .strandedWithoutEnd) {
            $0.attempts = 2
            $0.mayShutDown = true
            $0.onlyFirstCrashes = true
            $0.overlap = .none
            $0.flaws = .marksFormerTime
        },
        Failure("giving back what has been cancelled", leadsTo: .finalStateOverwritten) {
            $0.workers = 1
            $0.mayShutDown = true
            $0.isCancellable = true
            $0.flaws = .givesBackByForce
        },
        Failure("cancelling without asking whose the run is", leadsTo: .cancelledWhileItRuns) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.isCancellable = true
            $0.flaws = .cancelsUnasked
        },
    ]

    /// Workers that do not know of each other, with a server that does more than to accept two claims at the same time.
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
        Failure("a Submitting that does not get through while a claim is being written", leadsTo: .startedTwice) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.losses = 1
        },
        Failure("a run that only one of two can configure", leadsTo: .crashedWhileItRuns) {
            $0.contest = .unknown
            $0.crashes = 0
            $0.submissionMayFail = true
        },
    ]

    @Test("a worker that is wrong is found out", arguments: mutations + flaws)
    func isFound(failure: Failure) {
        let exploration = Exploration(ClaimModel(failure.variant.options))
        #expect(exploration.breaches[failure.breach] != nil, "\(exploration.account)")
    }

    @Test("what only workers that know of each other are safe from", arguments: limits)
    func isLimit(failure: Failure) {
        var options = failure.variant.options
        #expect(Exploration(ClaimModel(options)).breaches[failure.breach] != nil)
        options.contest = .known
        let exploration = Exploration(ClaimModel(options))
        #expect(exploration.breaches.isEmpty, "\(exploration.account)")
    }

    @Test("states are told apart by bytes, so there must be no gaps between them")
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
