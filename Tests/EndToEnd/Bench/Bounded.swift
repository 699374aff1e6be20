import Testing

/// Keeps the number of tests small that start workers and flows at the same time: a machine of two cores would be too
/// busy for any of them to be in time.
struct Bounded: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }
    fileprivate let slots: Slots

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Bounded? { testCase == nil ? nil : self }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await slots.take()
        do {
            try await function()
        } catch {
            await slots.give()
            throw error
        }
        await slots.give()
    }

    fileprivate actor Slots {
        private var free: Int
        private var waiting: [CheckedContinuation<Void, Never>] = []

        init(_ count: Int) { free = count }

        func take() async {
            guard free == 0 else {
                free -= 1
                return
            }
            await withCheckedContinuation { waiting.append($0) }
        }

        func give() {
            if waiting.isEmpty { free += 1 } else { waiting.removeFirst().resume() }
        }
    }
}

extension Bounded {
    private static let starters = Slots(2)
    private static let machine = Slots(1)
    private static let cluster = Slots(1)

    fileprivate static let two = Bounded(slots: starters)
    fileprivate static let machineSlot = Bounded(slots: machine)
    fileprivate static let clusterSlot = Bounded(slots: cluster)
}

extension Trait where Self == Bounded {
    /// At most two of these tests run at a time.
    static var bounded: Self { .two }

    /// One of these tests runs at a time: some of them take from the machine with systemd what the others need.
    static var oneOnMachine: Self { Bounded.machineSlot }

    /// One of these tests runs at a time: some of them take the cluster's API server or a node away.
    static var oneOnCluster: Self { Bounded.clusterSlot }
}
