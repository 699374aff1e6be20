import Dispatch
import HTTPTransport
import Synchronization
import Testing

/// Waits until a condition holds; false after the limit.
func eventually(within limit: Duration = .seconds(30), _ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now.advanced(by: limit)
    while !condition() {
        if ContinuousClock.now > deadline { return false }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}

/// An event that happens once. A server's thread can wait for it, and a test can check it.
final class Signal: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let happened = Mutex(false)

    func set() {
        happened.withLock { $0 = true }
        semaphore.signal()
    }

    var isSet: Bool { happened.withLock { $0 } }

    /// Blocks until the event has happened; for threads of servers only. Gives up after ten seconds, so that a failing
    /// test leaves no thread behind.
    func wait() {
        _ = semaphore.wait(timeout: .now() + 10)
        semaphore.signal()
    }
}

/// A list to which several threads append.
final class Log<Element: Sendable>: Sendable {
    private let entries = Mutex<[Element]>([])

    func append(_ entry: Element) { entries.withLock { $0.append(entry) } }
    var all: [Element] { entries.withLock { $0 } }
}

/// A transport that does not depend on environment variables.
func makeTransport(
    http2: Bool = false, tls: TLSConfiguration = TLSConfiguration(), proxies: ProxyPolicy = .direct,
    maxConnectionsPerHost: Int? = 16
) throws -> HTTPTransport {
    try HTTPTransport(
        TransportConfiguration(
            http2: http2, tls: tls, proxies: proxies, maxConnectionsPerHost: maxConnectionsPerHost))
}

/// The error with which a request or a body ends. Records an issue if there is none.
func transportError(
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
    func text(_ request: HTTPRequest) async throws -> (status: Int, text: String) {
        let (head, body) = try await fetch(request, maxBodyBytes: 1 << 20)
        return (head.status, String(decoding: body, as: UTF8.self))
    }
}

final class Counter: Sendable {
    private let count = Atomic(0)
    func add(_ amount: Int) { count.add(amount, ordering: .relaxed) }
    var value: Int { count.load(ordering: .relaxed) }
}
