import JSON
import Synchronization
import TestSupport

@testable import PrefectAPI

/// What was said, or came, in its order.
final class Record<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    func add(_ element: Element) { elements.withLock { $0.append(element) } }
    var all: [Element] { elements.withLock { $0 } }
}

extension ScriptedSocket {
    /// Does a server's part of the authentication; pings that come after it are left without an answer, if so wished.
    func authenticate(thenConfirming confirms: Bool = true) async throws {
        _ = try await receive()
        if !confirms { stopAnsweringPings() }
        try await send(["type": "auth_success"])
    }

    /// Takes messages until the client is gone.
    func takeAll() async throws {
        while true { _ = try await receive(timeout: .seconds(60)) }
    }

    /// The names of the events that came.
    var events: [String] {
        received.compactMap { (try? JSONValue(parsing: Array($0.utf8)))?["event"]?.stringValue }
    }
}

extension ReconnectPolicy {
    /// Pauses that tests can wait for.
    static let quick: ReconnectPolicy = {
        var policy = ReconnectPolicy()
        policy.shortest = .milliseconds(20)
        policy.longest = .milliseconds(60)
        policy.lasting = .milliseconds(50)
        return policy
    }()
}
