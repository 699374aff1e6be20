import Testing

/// Limits the number of tests that start workers and flows at the same time. On a machine with two cores, more of them
/// would miss their time limits.
struct Bounded: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }
    fileprivate let slots: Slots

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Bounded? { testCase == nil ? nil : self }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await slots.take(isFirst: Self.isOneOfAKind)
        do {
            try await Self.$isOneOfAKind.withValue(Self.isOneOfAKind || slots.isForOne) { try await function() }
        } catch {
            await slots.give()
            throw error
        }
        await slots.give()
    }

    /// Whether the test has a cluster or a machine to itself. Such tests wait for each other, and would take longest if
    /// each of them also waited behind all others.
    @TaskLocal fileprivate static var isOneOfAKind = false

    fileprivate actor Slots {
        nonisolated let isForOne: Bool
        private var free: Int
        private var first: [CheckedContinuation<Void, Never>] = []
        private var others: [CheckedContinuation<Void, Never>] = []

        init(_ count: Int) {
            free = count
            isForOne = count == 1
        }

        func take(isFirst: Bool) async {
            guard free == 0 else {
                free -= 1
                return
            }
            await withCheckedContinuation { waiter in
                if isFirst { first.append(waiter) } else { others.append(waiter) }
            }
        }

        func give() {
            if !first.isEmpty {
                first.removeFirst().resume()
            } else if !others.isEmpty {
                others.removeFirst().resume()
            } else {
                free += 1
            }
        }
    }
}

extension Bounded {
    private static let starters = Slots(3)
    private static let machine = Slots(1)
    private static let cluster = Slots(1)

    fileprivate static let few = Bounded(slots: starters)
    fileprivate static let machineSlot = Bounded(slots: machine)
    fileprivate static let clusterSlot = Bounded(slots: cluster)
}

extension Trait where Self == Bounded {
    /// At most three of these tests run at a time.
    static var bounded: Self { .few }

    /// One of these tests runs at a time, because some of them stop services of the systemd machine that others need.
    static var oneOnMachine: Self { Bounded.machineSlot }

    /// One of these tests runs at a time, because some of them make the cluster's API server or a node unavailable.
    static var oneOnCluster: Self { Bounded.clusterSlot }
}
