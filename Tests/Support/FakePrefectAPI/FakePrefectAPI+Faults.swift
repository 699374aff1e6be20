internal import Synchronization

/// A script that was given to a ``FakePrefectAPI``.
public struct FaultScript: Sendable {
    let api: FakePrefectAPI
    let number: Int

    /// How many requests it was used for.
    public var uses: Int {
        api.core.withLock { core in core.scripts.first { $0.number == number }?.uses ?? 0 }
    }

    /// Ends it: the requests get their true answers again.
    public func end() {
        api.change { core in
            guard let index = core.scripts.firstIndex(where: { $0.number == number }) else { return }
            core.scripts[index].remaining = 0
        }
    }
}

extension FakePrefectAPI {
    /// Lets something go wrong with the requests that match.
    ///
    /// Of several scripts that match, the first one given that is not used up counts.
    ///
    /// - Parameters:
    ///   - method: The method; `nil` means every one.
    ///   - path: The path below the base without the query, with `*` for any text.
    ///   - times: For how many requests; `nil` means until it is ended.
    ///   - answer: What goes wrong.
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

    /// Is asked about every request before the scripts are; `nil` leaves the request to them.
    ///
    /// It is called on the server's own thread, which it must not block. It may use the server.
    public func onRequest(_ hook: (@Sendable (RecordedRequest) -> Fault?)?) {
        change { core in core.hook = hook }
    }

    /// Decides what happens to a request.
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
