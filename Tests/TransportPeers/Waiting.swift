import Dispatch
package import HTTPTransport
import Synchronization
package import Testing

/// Waits until a condition holds; false after the limit.
package func eventually(within limit: Duration = .seconds(30), _ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now.advanced(by: limit)
    while !condition() {
        if ContinuousClock.now > deadline { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}

/// An event that happens once. A server's thread can wait for it, and a test can check it.
package final class Signal: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let happened = Mutex(false)

    package init() {}

    package func set() {
        happened.withLock { $0 = true }
        semaphore.signal()
    }

    package var isSet: Bool { happened.withLock { $0 } }

    /// Blocks until the event has happened; for threads of servers only. Gives up after ten seconds, so that a failing
    /// test leaves no thread behind.
    package func wait() {
        _ = semaphore.wait(timeout: .now() + 10)
        semaphore.signal()
    }
}

/// A list to which several threads append.
package final class Log<Element: Sendable>: Sendable {
    private let entries = Mutex<[Element]>([])

    package init() {}

    package func append(_ entry: Element) { entries.withLock { $0.append(entry) } }
    package var all: [Element] { entries.withLock { $0 } }
}

/// A transport that does not depend on environment variables.
package func makeTransport(
    http2: Bool = false, tls: TLSConfiguration = TLSConfiguration(), proxies: ProxyPolicy = .direct,
    maxConnectionsPerHost: Int? = 16
) throws -> HTTPTransport {
    try HTTPTransport(
        TransportConfiguration(
            http2: http2, tls: tls, proxies: proxies, maxConnectionsPerHost: maxConnectionsPerHost))
}

/// The error with which a request or a body ends. Records an issue if there is none.
package func transportError(
    _ body: () async throws -> some Any, sourceLocation: SourceLocation = #_sourceLocation
) async -> TransportError? {
    do {
        _ = try await body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        return nil
    } catch let error as TransportError {
        return error
    } catch {
        Issue.record("\(error) is not a TransportError", sourceLocation: sourceLocation)
        return nil
    }
}

extension HTTPTransport {
    /// Sends a request, and returns the status and the body as text.
    package func text(_ request: HTTPRequest) async throws -> (status: Int, text: String) {
        let (head, body) = try await fetch(request, maxBodyBytes: 1 << 20)
        return (head.status, String(decoding: body, as: UTF8.self))
    }
}

package final class Counter: Sendable {
    private let count = Atomic(0)

    package init() {}
    package func add(_ amount: Int) { count.add(amount, ordering: .relaxed) }
    package var value: Int { count.load(ordering: .relaxed) }
}
