import PrefectJSON
import Synchronization
import TestSupport

@testable import PrefectClient

/// A list of elements in the order in which tasks add them.
final class Record<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])
    func add(_ element: Element) { elements.withLock { $0.append(element) } }
    var all: [Element] { elements.withLock { $0 } }
}

extension ScriptedSocket {
    /// Performs a server's part of the authentication. Without `confirms`, later pings get no answer.
    func authenticate(thenConfirming confirms: Bool = true) async throws {
        _ = try await receive()
        if !confirms { stopAnsweringPings() }
        try await send(["type": "auth_success"])
    }

    /// Receives messages until the client disconnects.
    func takeAll() async throws {
        while true { _ = try await receive(timeout: .seconds(60)) }
    }

    /// The names of the received events.
    var events: [String] {
        received.compactMap { (try? JSONValue(parsing: Array($0.utf8)))?["event"]?.stringValue }
    }
}

extension ReconnectPolicy {
    /// A policy with pauses that are short enough for tests.
    static let quick: ReconnectPolicy = {
        var policy = ReconnectPolicy()
        policy.shortest = .milliseconds(20)
        policy.longest = .milliseconds(60)
        policy.lasting = .milliseconds(50)
        return policy
    }()
}
