import PrefectConcurrency
import Synchronization
import Testing

@Suite("Values that expire")
struct RenewedValueTests {
    private struct Unavailable: Error {}

    /// Returns 1, 2, … with a lifetime each, and fails where it is nil.
    private final class Source: Sendable {
        private let rest: Mutex<[Duration?]>
        private let count = Mutex(0)
        init(_ lifetimes: [Duration?]) { rest = Mutex(lifetimes) }
        var readings: Int { count.withLock { $0 } }

        func read() throws -> RenewedValue<Int>.Reading {
            let number = count.withLock { count in
                count += 1
                return count
            }
            let lifetime = rest.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            guard let lifetime else { throw Unavailable() }
            return .init(number, lifetime: lifetime)
        }
    }

    @Test("a value is read once until it expires")
    func once() async throws {
        let source = Source([.seconds(600)])
        let value = RenewedValue<Int>(margin: .seconds(10)) { try source.read() }
        for _ in 1...3 { #expect(try await value.current() == 1) }
        #expect(source.readings == 1)
    }

    @Test("a value within the margin of its expiry is read again")
    func margin() async throws {
        let source = Source([.seconds(5), .seconds(600)])
        let value = RenewedValue<Int>(margin: .seconds(10)) { try source.read() }
        #expect(try await value.current() == 1)
        #expect(try await value.current() == 2)
    }

    @Test("a value that is read in advance is still used when the reading fails")
    func advance() async throws {
        let source = Source([.seconds(60), nil, .seconds(600)])
        let value = RenewedValue<Int>(margin: .seconds(10), advance: .seconds(290)) { try source.read() }
        #expect(try await value.current() == 1)
        #expect(try await value.current() == 1)
        #expect(try await value.current() == 3)
    }

    @Test("a refused value is read again, and not used when the reading fails")
    func refused() async throws {
        let source = Source([.seconds(600), nil, .seconds(600)])
        let value = RenewedValue<Int>(margin: .seconds(10)) { try source.read() }
        #expect(try await value.current() == 1)
        await #expect(throws: Unavailable.self) { try await value.current(unless: { $0 == 1 }) }
        #expect(try await value.current(unless: { $0 == 1 }) == 3)
    }

    @Test("the longest lifetime of a service does not end the process")
    func longest() async throws {
        let value = RenewedValue<Int>(margin: .seconds(10)) { .init(1, lifetime: .seconds(Int64.max)) }
        #expect(try await value.current() == 1)
    }
}
