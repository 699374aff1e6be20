internal import Synchronization

/// A script of a ``FakePrefectAPI``.
public struct FaultScript: Sendable {
    let api: FakePrefectAPI
    let number: Int

    /// The number of requests that the script was used for.
    public var uses: Int {
        api.core.withLock { core in core.scripts.first { $0.number == number }?.uses ?? 0 }
    }

    /// Ends the script: the requests receive their true answers again.
    public func end() {
        api.change { core in
            guard let index = core.scripts.firstIndex(where: { $0.number == number }) else { return }
            core.scripts[index].remaining = 0
        }
    }
}

extension FakePrefectAPI {
    /// Causes a fault for the requests that match.
    ///
    /// When several scripts match, the earliest one that is not used up applies.
    ///
    /// - Parameters:
    ///   - method: The method; `nil` matches every method.
    ///   - path: The path below the base without the query, with `*` for any text.
    ///   - times: The number of requests; `nil` means until the script is ended.
    ///   - answer: The fault.
    @discardableResult
    public func script(method: String? = nil, path: String = "*", times: Int? = nil, answer: Fault) -> FaultScript {
        let number = change { core in
            let number = core.number()
            let pattern = RequestPattern(method: method, path: path)
            core.scripts.append(Script(number: number, pattern: pattern, fault: answer, remaining: times))
            return number
        }
        return FaultScript(api: self, number: number)
    }

    /// Ends all scripts.
    public func endScripts() {
        change { core in core.scripts.removeAll() }
    }

    /// Sets a hook that decides about every request before the scripts do. When it returns `nil`, the scripts decide.
    ///
    /// The server calls the hook on its own thread, which the hook must not block. The hook may use the server.
    public func onRequest(_ hook: (@Sendable (RecordedRequest) -> Fault?)?) {
        change { core in core.hook = hook }
    }

    /// Decides which fault a request receives.
    func fault(for request: RecordedRequest) -> Fault {
        if let hook = core.withLock({ $0.hook }), let fault = hook(request) { return fault }
        return core.withLock { core in
            let index = core.scripts.firstIndex { script in
                script.remaining != 0 && script.pattern.matches(method: request.method, path: request.path)
            }
            guard let index else { return .pass }
            core.scripts[index].uses += 1
            if let remaining = core.scripts[index].remaining { core.scripts[index].remaining = remaining - 1 }
            return core.scripts[index].fault
        }
    }
}
