import Testing

/// Keeps the number of tests small that start workers and flows at the same time: a machine of two cores would be too
/// busy for any of them to be in time.
struct Bounded: TestTrait, SuiteTrait, TestScoping {
    var isRecursive: Bool { true }
    private static let slots = Slots(2)

    func scopeProvider(for test: Test, testCase: Test.Case?) -> Bounded? { testCase == nil ? nil : self }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Self.slots.take()
        do {
            try await function()
        } catch {
            await Self.slots.give()
            throw error
        }
        await Self.slots.give()
    }

    private actor Slots {
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

extension Trait where Self == Bounded {
    /// At most two of these tests run at a time.
    static var bounded: Self { Bounded() }
}
