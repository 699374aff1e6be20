internal import Synchronization

/// A value that may be exchanged while others use it, as settings are that an operator has read again.
public final class Live<Value: Sendable>: Sendable {
    private let current: Mutex<Value>

    /// A value to begin with.
    public init(_ value: Value) { current = Mutex(value) }

    /// The value as it is now.
    public var value: Value { current.withLock { $0 } }

    /// Changes the value for everybody who asks from now on.
    public func update(_ change: (inout Value) -> Void) { current.withLock { change(&$0) } }
}
