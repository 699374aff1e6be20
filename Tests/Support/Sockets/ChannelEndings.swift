internal import Glibc
internal import NIOCore
internal import NIOPosix

// The layout of the kernel's `struct linger`; a time of zero makes closing a reset.
private struct Linger {
    let isOn: CInt
    let seconds: CInt
}

extension Channel {
    /// Closes the connection with RST instead of FIN.
    func reset() {
        if let socket = self as? any SocketOptionProvider {
            _ = socket.unsafeSetSocketOption(level: .socket, name: .so_linger, value: Linger(isOn: 1, seconds: 0))
        }
        close(promise: nil)
    }

    /// Closes the connection after everything that was written has been sent; closing at once would drop it.
    func closeAfterWrites() {
        writeAndFlush(ByteBuffer()).whenComplete { _ in self.close(promise: nil) }
    }

    /// Stops listening at once, for every process that holds the socket.
    ///
    /// A process that is being spawned has a copy of every socket until its program runs. After a plain close, that
    /// copy would still listen.
    func stopListening() async {
        try? await eventLoop.submit {
            try self.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { socket in
                _ = shutdown(socket, CInt(SHUT_RDWR))
            }
            self.close(promise: nil)
        }.get()
        try? await closeFuture.get()
    }
}
