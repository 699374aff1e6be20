/// The user of a ``ByteConnection``: a protocol other than HTTP. The loop calls it on its own thread only.
///
/// After each call the loop reads `isOver` and `nextDeadline` again.
package protocol ConnectionDriver: AnyObject {
    /// Whether the connection is no longer needed. The loop then closes it and releases the driver.
    var isOver: Bool { get }
    /// The latest time at which `checkDeadlines` is due.
    var nextDeadline: ContinuousClock.Instant? { get }

    /// Called once, when the connection is ready.
    func connected()

    /// Called instead of `connected` when there is no connection. The driver is released after it.
    func failed(_ failure: ConnectionFailure)

    /// Called when the connection is ready for what the driver waits for.
    func turn(_ readiness: DescriptorReadiness)

    /// Called in every turn of the loop, whether a deadline has passed or not.
    func checkDeadlines(at now: ContinuousClock.Instant)

    /// Called when the transport shuts down. The driver is released after it.
    func shutDown()
}

/// The reason why a connection could not be made.
package struct ConnectionFailure: Sendable, Hashable {
    package let kind: TransportError.Kind
    /// The cause in one line.
    package let cause: String
}
