internal import NIOCore
internal import Synchronization

/// All open sockets of the health server: its listening socket and its connections.
///
/// A new connection over the limit closes the oldest one. So clients that only hold connections can never lock out a
/// probe. Shutting down closes everything at once, and each later connection on arrival.
final class OpenConnections: Sendable {
    private struct State {
        var listener: (any Channel)?
        var connections: [ObjectIdentifier: (serial: Int, channel: any Channel)] = [:]
        var lastSerial = 0
        var isShutDown = false
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) {
        self.limit = limit
    }

    /// Whether ``shutDown()`` was called.
    var isShutDown: Bool { state.withLock { $0.isShutDown } }

    /// Registers the listening socket.
    func listen(on channel: any Channel) {
        let isTooLate = state.withLock { state in
            state.listener = channel
            return state.isShutDown
        }
        if isTooLate { channel.close(promise: nil) }
    }

    /// Registers a connection.
    func add(_ channel: any Channel) {
        let superfluous: (any Channel)? = state.withLock { state in
            if state.isShutDown { return channel }
            state.lastSerial += 1
            state.connections[ObjectIdentifier(channel)] = (state.lastSerial, channel)
            guard state.connections.count > limit else { return nil }
            guard let oldest = state.connections.min(by: { $0.value.serial < $1.value.serial }) else { return nil }
            state.connections[oldest.key] = nil
            return oldest.value.channel
        }
        superfluous?.close(promise: nil)
    }

    /// Removes a connection that is closed.
    func remove(_ channel: any Channel) {
        state.withLock { $0.connections[ObjectIdentifier(channel)] = nil }
    }

    /// Closes everything. Afterwards no other call closes anything any more, so the event loop may end. Must not be
    /// called on the event loop.
    func shutDown() {
        state.withLock { state in
            state.isShutDown = true
            for channel in [state.listener].compactMap(\.self) + state.connections.values.map(\.channel) {
                channel.close(promise: nil)
            }
            state.connections = [:]
            state.listener = nil
        }
    }
}
