import BackendKit
import Logging
import Testing

@Suite("The availability of infrastructure")
struct AvailabilityTests {
    private let availability = InfrastructureAvailability(end: "it is available again", logger: Logger(label: "test"))

    @Test("a request that keeps failing on available infrastructure is given up after the sixth failure")
    func giveUp() async throws {
        var (failures, repetitions) = (0, 0)
        while try await availability.mayRepeat(after: &failures) {
            repetitions += 1
            try #require(repetitions < 10)
        }
        #expect(repetitions == 5)
    }

    @Test("an outage is waited for, and the failures before it do not count")
    func outage() async throws {
        var failures = 5
        availability.note("it is unreachable")
        async let recovery: Void = {
            try await Task.sleep(for: .milliseconds(700))
            availability.note(nil)
        }()
        #expect(try await availability.mayRepeat(after: &failures))
        #expect(availability.reason == nil && failures == 0)
        try await recovery
    }
}
