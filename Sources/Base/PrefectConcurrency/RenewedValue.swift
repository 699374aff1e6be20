internal import Synchronization

/// A value that is valid for a limited time, such as a token. It is read on first use, and again before it expires.
/// Callers share one reading.
package final class RenewedValue<Value: Sendable>: Sendable {
    /// A value that has just been read.
    package struct Reading: Sendable {
        /// The value.
        package var value: Value
        /// The time from the reading to the expiry; nil for a value that does not expire by itself.
        package var lifetime: Duration?

        /// Creates a reading.
        package init(_ value: Value, lifetime: Duration?) {
            self.value = value
            self.lifetime = lifetime
        }
    }

    private struct Kept {
        var value: Value
        var expiry: ContinuousClock.Instant?
    }

    private let margin: Duration
    private let advance: Duration
    private let read: @Sendable () async throws -> Reading
    private let kept = Mutex<Kept?>(nil)
    private let flight = SingleFlight<Value>()

    /// Creates a value that has not been read.
    ///
    /// - Parameters:
    ///   - margin: The time before its expiry at which the value is no longer used.
    ///   - advance: The time before the margin from which the value is read again. If that fails, it is still used.
    ///   - read: Reads the value.
    package init(
        margin: Duration, advance: Duration = .zero, read: @escaping @Sendable () async throws -> Reading
    ) {
        self.margin = margin
        self.advance = advance
        self.read = read
    }

    /// The value to use now. Throws the error of the reading.
    ///
    /// - Parameter isRefused: Whether a value must not be used although it has not expired.
    package func current(unless isRefused: @Sendable (Value) -> Bool = { _ in false }) async throws -> Value {
        let usable = usable(leaving: margin, unless: isRefused)
        if let usable, self.usable(leaving: margin + advance, unless: isRefused) != nil { return usable }
        do {
            return try await flight.run {
                // Another caller may have read the value between the check and the beginning of this attempt.
                if let known = self.usable(leaving: margin + advance, unless: isRefused) { return known }
                let reading = try await read()
                let kept = Kept(
                    value: reading.value, expiry: reading.lifetime.map { .now + min($0, .seconds(1 << 32)) })
                self.kept.withLock { $0 = kept }
                return reading.value
            }
        } catch  where !(error is CancellationError) {
            guard let usable else { throw error }
            return usable
        }
    }

    /// The value that was read last, unless it is refused or expires within a time.
    private func usable(leaving time: Duration, unless isRefused: (Value) -> Bool) -> Value? {
        kept.withLock { kept in
            guard let kept, !isRefused(kept.value) else { return nil }
            if let expiry = kept.expiry, expiry - time <= .now { return nil }
            return kept.value
        }
    }
}
