internal import Glibc
internal import NIOCore

/// The error when the health server cannot listen on the configured address.
package struct HealthServerError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The reason why it cannot listen.
    package enum Cause: Sendable, Hashable {
        /// The port is not a number from 0 to 65535.
        case invalidPort
        /// The port is already in use.
        case portInUse
        /// The user may not use the port. Ports below 1024 are reserved for the superuser.
        case permissionDenied
        /// The host is not one of this machine's addresses.
        case foreignAddress
        /// The host's name has no address.
        case unknownHost
        /// Another failure, with the system's error message.
        case other(String)
    }

    /// `PREFECT_WORKER_WEBSERVER_HOST`.
    package let host: String
    /// `PREFECT_WORKER_WEBSERVER_PORT`.
    package let port: Int
    package let cause: Cause

    /// One line with the address, the cause and the setting to change.
    package var description: String {
        "The health server cannot listen on \(ListeningAddress(host: host, port: port)): \(explanation)."
    }

    private var explanation: String {
        switch cause {
        case .invalidPort:
            "a port is a number from 0 to 65535; change PREFECT_WORKER_WEBSERVER_PORT"
        case .portInUse:
            "the port is in use; set PREFECT_WORKER_WEBSERVER_PORT to a free one"
        case .permissionDenied:
            "this user may not use the port; set PREFECT_WORKER_WEBSERVER_PORT to one above 1023"
        case .foreignAddress:
            "no network interface of this machine has that address; change PREFECT_WORKER_WEBSERVER_HOST"
        case .unknownHost:
            "the host name has no address; change PREFECT_WORKER_WEBSERVER_HOST"
        case .other(let text):
            "\(text); change PREFECT_WORKER_WEBSERVER_HOST or PREFECT_WORKER_WEBSERVER_PORT"
        }
    }

    /// Translates the error of a failed bind.
    init(host: String, port: Int, bindError error: any Error) {
        self.host = host
        self.port = port
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: cause = .portInUse
        case EACCES, EPERM: cause = .permissionDenied
        case EADDRNOTAVAIL: cause = .foreignAddress
        case .some(let code): cause = .other(String(cString: strerror(code)))
        case nil: cause = error is SocketAddressError.UnknownHost ? .unknownHost : .other("\(error)")
        }
    }

    init(host: String, port: Int, cause: Cause) {
        self.host = host
        self.port = port
        self.cause = cause
    }
}

/// The address that the health server listens on.
package struct ListeningAddress: Sendable, Hashable, CustomStringConvertible {
    /// The host as configured, without brackets.
    package let host: String
    /// The port: the system's choice when 0 was configured.
    package let port: Int

    /// `host:port`, with brackets around an IPv6 address.
    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
