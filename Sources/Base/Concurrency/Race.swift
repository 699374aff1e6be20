/// Waits for the first of several operations to end, then cancels the others and waits for them.
///
/// Each operation must end when its task is cancelled.
package func raceOf(_ operations: (@Sendable () async -> Void)...) async {
    await withTaskGroup(of: Void.self) { group in
        for operation in operations { group.addTask(operation: operation) }
        await group.next()
        group.cancelAll()
    }
}
