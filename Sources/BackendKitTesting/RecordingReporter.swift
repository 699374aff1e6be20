public import BackendKit
public import PrefectJSON
internal import Synchronization

/// A reporter that records all messages and events.
public final class RecordingReporter: JobReporter {
    /// A line of a flow run's log.
    public struct Line: Sendable {
        /// Its severity.
        public let level: RunLogLevel
        /// Its text.
        public let message: String
        /// Whether the line belongs only to the log at the API.
        public let isOnlyAtAPI: Bool
    }

    /// An event about a resource of the infrastructure.
    public struct Emitted: Sendable {
        /// Its name.
        public let name: String
        /// The id that other observers of the event use too; `nil` for an event without such an id.
        public let id: String?
        /// Its resource.
        public let resource: JSONValue
    }

    private struct State {
        var messages: [Line] = []
        var events: [Emitted] = []
        var pending = 0
    }

    private let state = Mutex(State())

    /// A reporter without records.
    public init() {}

    /// Records the line.
    public func log(_ level: RunLogLevel, _ message: String) {
        state.withLock { $0.messages.append(Line(level: level, message: message, isOnlyAtAPI: false)) }
    }

    /// Records the line.
    public func logAtAPI(_ level: RunLogLevel, _ message: String) {
        state.withLock { $0.messages.append(Line(level: level, message: message, isOnlyAtAPI: true)) }
    }

    /// Records the event.
    public func emit(event: String, resource: JSONValue, payload: JSONValue) {
        state.withLock { $0.events.append(Emitted(name: event, id: nil, resource: resource)) }
    }

    /// Records the event.
    public func emit(event: String, resource: JSONValue, payload: JSONValue, id: String, occurred: Timestamp?) {
        state.withLock { $0.events.append(Emitted(name: event, id: id, resource: resource)) }
    }

    /// Records the message.
    public func reportPending(_ message: String) async -> Bool {
        state.withLock { $0.pending += 1 }
        return true
    }

    /// The lines in their order.
    public var messages: [Line] { state.withLock { $0.messages } }
    /// The texts of the lines.
    public var lines: [String] { messages.map(\.message) }
    /// The events in their order.
    public var events: [Emitted] { state.withLock { $0.events } }
    /// How often the infrastructure was reported as pending.
    public var pendingReports: Int { state.withLock { $0.pending } }
}
