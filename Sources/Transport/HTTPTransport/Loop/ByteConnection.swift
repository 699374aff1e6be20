import CPrefectCurl

/// A connection that carries another protocol than HTTP, on the loop's thread. libcurl makes it. Where necessary, it uses
/// TLS and a proxy's tunnel.
package final class ByteConnection {
    private let plan: TransferPlan
    private let id: UInt64
    private unowned let core: EventLoopCore
    private var easy: EasyHandle?
    private var descriptor: Int32?
    private var interest: DescriptorReadiness = []

    init(_ plan: ConnectionPlan, id: UInt64, core: EventLoopCore) {
        self.plan = plan.transfer
        self.id = id
        self.core = core
    }

    // MARK: For the driver

    /// Reads the bytes that have arrived, without waiting.
    package func read() -> ByteRead {
        easy?.receive(into: core.buffer) ?? .failed(Self.notConnected)
    }

    /// Writes bytes from a position on, without waiting. After `full`, the same bytes must be offered again.
    package func write(_ bytes: [UInt8], from start: Int) -> ByteWrite {
        easy?.send(bytes, from: start) ?? .failed(Self.notConnected)
    }

    /// Sets the readiness for which the driver gets a turn, until it is set again.
    package func watch(for wanted: DescriptorReadiness) {
        guard let descriptor, wanted != interest else { return }
        interest = wanted
        // If a descriptor without interest were watched, a hang-up would wake the loop again and again.
        if wanted.isEmpty { return core.unwatch(descriptor) }
        core.watch(descriptor, for: wanted) { [id, unowned core] readiness in
            core.withConnection(id) { $0.turn(readiness) }
        }
    }

    // MARK: For the loop

    /// Hands the connection to libcurl. Returns the failure if that is not possible.
    func begin() -> ConnectionFailure? {
        guard let easy = EasyHandle() else { return ConnectionFailure(kind: .sendFailed, cause: "out of memory") }
        do throws(EasyHandle.Refusal) {
            try easy.configure(plan)
            try easy.setConnectOnly()
        } catch {
            return ConnectionFailure(kind: .invalidRequest, cause: error.cause)
        }
        self.easy = easy
        core.idsByHandle[easy.pointer] = id
        let code = curl_multi_add_handle(core.multi, easy.pointer)
        guard code != CURLM_OK else { return nil }
        return ConnectionFailure(kind: .sendFailed, cause: String(cString: curl_multi_strerror(code)))
    }

    /// Notes that libcurl has finished connecting. Returns the failure if there is no connection.
    func finish(_ code: CURLcode) -> ConnectionFailure? {
        guard let easy else { return ConnectionFailure(kind: .couldNotConnect, cause: Self.notConnected) }
        guard code == CURLE_OK else {
            let failure = CurlFailure(
                code: code, cause: easy.cause(of: code), systemError: easy.systemError,
                tunnelStatus: easy.tunnelStatus, isThroughProxy: plan.proxy != nil, requestMayHaveBeenSent: false)
            let proxy = plan.proxy.map { " (through the proxy \($0.address))" } ?? ""
            return ConnectionFailure(kind: failure.kind, cause: failure.text + proxy)
        }
        descriptor = easy.activeSocket
        guard descriptor == nil else { return nil }
        return ConnectionFailure(
            kind: .couldNotConnect, cause: "the connection was closed immediately after it was opened")
    }

    /// Closes the connection. libcurl does so when its handle is removed.
    func close() {
        if let descriptor { core.unwatch(descriptor) }
        guard let easy else { return }
        core.idsByHandle[easy.pointer] = nil
        curl_multi_remove_handle(core.multi, easy.pointer)
    }

    private static let notConnected = "there is no connection"
}
