import CPrefectCurl

/// Connections for other protocols in the loop. `Admission` does not count them, because they are few and each lasts for
/// a long time.
extension EventLoopCore {
    /// A connection and the protocol that uses it.
    struct DrivenConnection {
        let bytes: ByteConnection
        let driver: any ConnectionDriver
    }

    /// Begins to connect, unless no driver is made because the caller no longer waits.
    func open(_ plan: ConnectionPlan, id: UInt64, makeDriver: (ByteConnection) -> (any ConnectionDriver)?) {
        let bytes = ByteConnection(plan, id: id, core: self)
        guard let driver = makeDriver(bytes) else { return }
        connections[id] = DrivenConnection(bytes: bytes, driver: driver)
        keepRoomForConnections()
        if let failure = bytes.begin() { fail(id, failure) }
    }

    /// Called when libcurl has finished connecting, with success or not.
    func finishConnecting(_ id: UInt64, _ code: CURLcode) {
        guard let connection = connections[id] else { return }
        if let failure = connection.bytes.finish(code) { return fail(id, failure) }
        withConnection(id) { $0.connected() }
    }

    private func fail(_ id: UInt64, _ failure: ConnectionFailure) {
        withConnection(id) { $0.failed(failure) }
        removeConnection(id)
    }

    /// Runs a closure with the driver of a connection, if it still exists, and closes the connection if that ended it.
    func withConnection(_ id: UInt64, _ body: (any ConnectionDriver) -> Void) {
        guard let connection = connections[id] else { return }
        body(connection.driver)
        if connection.driver.isOver { removeConnection(id) }
    }

    private func removeConnection(_ id: UInt64) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        connection.bytes.close()
        keepRoomForConnections()
    }

    func checkConnectionDeadlines(at now: ContinuousClock.Instant) {
        for id in Array(connections.keys) {
            withConnection(id) { $0.checkDeadlines(at: now) }
        }
    }

    func tearDownConnections() {
        for id in Array(connections.keys) {
            withConnection(id) { $0.shutDown() }
            removeConnection(id)
        }
    }

    /// Raises libcurl's connection limit by the number of these connections. For a moment after one is made, libcurl
    /// may close it to make room for others.
    private func keepRoomForConnections() {
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, mostConnections + connections.count)
    }
}
