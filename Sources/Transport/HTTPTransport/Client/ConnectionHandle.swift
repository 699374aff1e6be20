/// A connection for another protocol than HTTP, as seen by other threads. It keeps its transport alive.
///
/// The protocol's driver lives on the transport's own thread. This handle passes work to it.
package struct ConnectionHandle<Driver: ConnectionDriver & SendableMetatype>: Sendable {
    private let id: UInt64
    private let loop: EventLoop

    init(id: UInt64, loop: EventLoop) {
        self.id = id
        self.loop = loop
    }

    /// Begins to connect. Returns false when the transport was shut down.
    ///
    /// - Parameter makeDriver: Makes the driver on the transport's thread; nil if no connection is needed any more.
    package func open(
        _ plan: ConnectionPlan, makeDriver: @escaping @Sendable (ByteConnection) -> Driver?
    ) -> Bool {
        loop.execute { [id] core in core.open(plan, id: id, makeDriver: makeDriver) }
    }

    /// Runs a closure with the driver on the transport's thread, if the connection still exists then. Returns false
    /// when the transport was shut down.
    @discardableResult
    package func perform(_ work: @escaping @Sendable (Driver) -> Void) -> Bool {
        loop.execute { [id] core in
            core.withConnection(id) { driver in
                if let driver = driver as? Driver { work(driver) }
            }
        }
    }
}

extension HTTPTransport {
    /// Checks the parameters of a connection for another protocol. It uses the same proxies, certificate authorities and
    /// client certificate as the request would.
    ///
    /// - Parameters:
    ///   - request: The request whose URL is `url`. Only its headers, connect deadline and TLS settings matter.
    ///   - url: The server's URL.
    /// - Throws: An error of kind `invalidRequest` or `proxy`.
    package func connectionPlan(for request: HTTPRequest, to url: ParsedURL) throws(TransportError) -> ConnectionPlan {
        // The connection must not offer HTTP/2 to the server, because another protocol begins on it.
        var configuration = configuration
        configuration.http2 = false
        return ConnectionPlan(
            transfer: try TransferPlan(request, url: url, configuration: configuration, wholeDeadline: nil))
    }

    /// Returns a handle for a new connection, which is not begun yet. It does not count towards the connection limits.
    package func newConnection<Driver: ConnectionDriver & SendableMetatype>(
        for driver: Driver.Type
    ) -> ConnectionHandle<Driver> {
        ConnectionHandle(id: newID(), loop: loop)
    }
}
