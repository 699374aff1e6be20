internal import Synchronization

/// Elements that arrive one by one and are taken together, because one request serves many of them.
package final class Gathering<Element: Sendable>: Sendable {
    /// For how long elements are collected after the first.
    private static var time: Duration { .milliseconds(200) }

    private let elements = Mutex<[Element]>([])
    private let changed = AsyncSignal()

    /// Creates a collection without elements.
    package init() {}

    package func add(_ element: Element) {
        elements.withLock { $0.append(element) }
        changed.signal()
    }

    /// The elements since the last call, gathered for a moment; `nil` when the task is cancelled.
    package func next() async -> [Element]? {
        while !Task.isCancelled {
            await changed.wait()
            guard (try? await Task.sleep(for: Self.time)) != nil else { return nil }
            let taken = elements.withLock { elements in
                defer { elements = [] }
                return elements
            }
            if !taken.isEmpty { return taken }
        }
        return nil
    }
}
