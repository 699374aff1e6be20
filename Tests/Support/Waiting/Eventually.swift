/// Checks a condition repeatedly until it holds.
///
/// It is for conditions without a notification of changes. Where a wait with notifications exists
/// (``FakePrefectAPI/waitUntil(_:timeout:_:)``, ``Gate``), use that.
///
/// - Parameters:
///   - timeout: How long to check. From ten seconds on, it is three times as long. The condition is checked at least
///     once.
///   - what: The expected event, for the message.
///   - interval: The pause between two checks.
///   - condition: The condition. An error counts as false, and the message contains the last error.
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
