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

    /// The address as configured.
    package let address: ListeningAddress
    package let cause: Cause

    /// One line with the address and the cause. For an address of the network, it names the setting to change.
    package var description: String {
        "The health server cannot listen on \(address): \(explanation)."
    }

    private var explanation: String {
        switch cause {
        case .other(let text) where address.port == nil: text
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
    init(_ address: ListeningAddress, bindError error: any Error) {
        self.address = address
        let isNetwork = address.port != nil
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE where isNetwork: cause = .portInUse
        case EACCES where isNetwork, EPERM where isNetwork: cause = .permissionDenied
        case EADDRNOTAVAIL where isNetwork: cause = .foreignAddress
        case .some(let code): cause = .other(String(cString: strerror(code)))
        case nil: cause = error is SocketAddressError.UnknownHost ? .unknownHost : .other("\(error)")
        }
    }

    init(_ address: ListeningAddress, cause: Cause) {
        self.address = address
        self.cause = cause
    }
}
