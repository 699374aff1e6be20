import CPrefectCurl
import Glibc

/// A failure of libcurl, and its meaning for the caller.
struct CurlFailure {
    let code: CURLcode
    /// libcurl's own error message.
    let cause: String
    /// The error of the last failed connection attempt, 0 if none.
    let systemError: Int32
    /// The status of the proxy's response to CONNECT, 0 if none.
    let tunnelStatus: Int
    let isThroughProxy: Bool
    let requestMayHaveBeenSent: Bool

    var kind: TransportError.Kind {
        switch code {
        case CURLE_URL_MALFORMAT, CURLE_NOT_BUILT_IN, CURLE_UNKNOWN_OPTION, CURLE_BAD_FUNCTION_ARGUMENT:
            .invalidRequest
        case CURLE_UNSUPPORTED_PROTOCOL:
            // After the connection is ready, this code means a response without a status line.
            requestMayHaveBeenSent ? .protocolViolation : .invalidRequest
        case CURLE_COULDNT_RESOLVE_PROXY, CURLE_PROXY:
            .proxy
        case CURLE_COULDNT_RESOLVE_HOST:
            .couldNotResolve
        case CURLE_COULDNT_CONNECT:
            isThroughProxy ? .proxy : .couldNotConnect
        case CURLE_OPERATION_TIMEDOUT:
            .connectTimeout
        case CURLE_SSL_CONNECT_ERROR:
            // A server that shuts down can look like a failed handshake. No certificate is the cause then.
            isBrokenHandshake ? .couldNotConnect : .tls
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT, CURLE_SSL_CRL_BADFILE,
            CURLE_SSL_ENGINE_INITFAILED, CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_USE_SSL_FAILED:
            .tls
        case CURLE_SEND_ERROR, CURLE_SEND_FAIL_REWIND:
            isTLSAlert ? .tls : isProxyFailure ? .proxy : .sendFailed
        case CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2:
            .protocolViolation
        case CURLE_RECV_ERROR where cause.contains("chunk"):
            .protocolViolation
        default:
            isTLSAlert ? .tls : isProxyFailure ? .proxy : .receiveFailed
        }
    }

    var text: String {
        guard systemError != 0, systemError != EINPROGRESS, code == CURLE_COULDNT_CONNECT else { return cause }
        let reason = String(cString: strerror(systemError))
        return cause.contains(reason) ? cause : "\(cause): \(reason)"
    }

    /// With TLS 1.3 a server refuses a client's certificate only after the handshake is over for the client.
    private var isTLSAlert: Bool {
        cause.contains("SSL routines") && cause.contains(" alert ")
    }

    private var isBrokenHandshake: Bool {
        cause.hasPrefix("Recv failure:") || cause.hasPrefix("Send failure:")
            || ["Connection reset", "SSL_ERROR_SYSCALL", "unexpected eof"].contains { cause.contains($0) }
    }

    private var isProxyFailure: Bool {
        isThroughProxy && (tunnelStatus >= 300 || !requestMayHaveBeenSent)
    }
}
