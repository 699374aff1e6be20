/// Asks again and again until a condition holds.
///
/// For things that tell nobody when they change; what can be waited for (``FakePrefectAPI/waitUntil(_:timeout:_:)``,
/// ``Gate``) should be.
///
/// - Parameters:
///   - timeout: How long to go on asking, or three times as long from ten seconds on; the condition is asked at least
///     once.
///   - what: What should happen, for the message.
///   - interval: The pause between two questions.
///   - condition: The question. An error counts as no, and the last one is part of the message.
/// - Throws: ``WaitTimeout``, or `CancellationError`.
public func eventually(
    within timeout: Duration = .seconds(30), _ what: String, every interval: Duration = .milliseconds(10),
    isolation: isolated (any Actor)? = #isolation, _ condition: () async throws -> Bool
) async throws {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout.patient
    var detail = "the condition was never true"
    while true {
        do {
            if try await condition() { return }
            detail = "the condition was never true"
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            detail = "the last attempt failed: \(error)"
        }
        if clock.now >= deadline { throw WaitTimeout(what: what, timeout: timeout.patient, detail: detail) }
        try await Task.sleep(for: interval)
    }
}
