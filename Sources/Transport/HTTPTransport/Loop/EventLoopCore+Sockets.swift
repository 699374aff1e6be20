import CCurl

/// WebSockets in the loop. `Admission` does not count them, because they are few and each lasts for a long time.
extension EventLoopCore {
    func open(_ plan: SocketPlan, id: UInt64, ticket: UInt64, channel: SocketChannel) {
        // The caller may have stopped waiting while this work was in the mailbox.
        guard channel.isAwaited(ticket) else { return }
        func fail(_ kind: TransportError.Kind, _ cause: String) {
            let error = TransportError(
                kind: kind, operation: WebSocketError.subject(plan.url), cause: cause, requestMayHaveBeenSent: false)
            channel.end(.notConnected(error))
        }
        guard let easy = EasyHandle() else { return fail(.sendFailed, "out of memory") }
        do throws(EasyHandle.Refusal) {
            sockets[id] = try SocketConnection(
                plan, id: id, opening: ticket, easy: easy, channel: channel, core: self)
        } catch {
            return fail(.invalidRequest, error.cause)
        }
        idsByHandle[easy.pointer] = id
        keepRoomForSockets()
        let code = curl_multi_add_handle(multi, easy.pointer)
        guard code != CURLM_OK else { return }
        fail(.sendFailed, String(cString: curl_multi_strerror(code)))
        removeSocket(id)
    }

    /// Runs a closure with a WebSocket, if it still exists, and removes the WebSocket if that ended it.
    func withSocket(_ id: UInt64, _ body: (SocketConnection) -> Void) {
        guard let socket = sockets[id] else { return }
        body(socket)
        if socket.isOver { removeSocket(id) }
    }

    /// Removes a WebSocket. Its handle stays in the multi handle until then, because removing it closes the connection.
    private func removeSocket(_ id: UInt64) {
        guard let socket = sockets.removeValue(forKey: id) else { return }
        socket.unwatch()
        idsByHandle[socket.easy.pointer] = nil
        curl_multi_remove_handle(multi, socket.easy.pointer)
        keepRoomForSockets()
    }

    func checkSocketDeadlines(at now: ContinuousClock.Instant) {
        for id in Array(sockets.keys) {
            withSocket(id) { $0.checkDeadlines(at: now) }
        }
    }

    func tearDownSockets() {
        for id in Array(sockets.keys) {
            withSocket(id) { $0.leave(.shutDown) }
        }
    }

    /// Raises libcurl's connection limit by the number of WebSockets. For a moment after a WebSocket's connection is
    /// made, libcurl may close it to make room for others.
    private func keepRoomForSockets() {
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, mostConnections + sockets.count)
    }
}
