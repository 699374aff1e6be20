import CPrefectCurl

/// The result of reading from a connection without waiting.
package enum ByteRead {
    /// The received bytes, never empty.
    case bytes([UInt8])
    /// Nothing has arrived since the last read.
    case nothingYet
    /// The peer has ended its side of the connection.
    case end
    /// The connection broke, with the cause in one line.
    case failed(String)
}

/// The result of writing to a connection without waiting.
package enum ByteWrite {
    /// The connection has taken this many bytes.
    case taken(Int)
    /// The connection has no room.
    case full
    /// The connection broke, with the cause in one line.
    case failed(String)
}

/// The libcurl operations on a handle that only connects.
extension EasyHandle {
    /// Must be called after `configure`. libcurl then stops when the connection is ready, through a tunnel if there is
    /// a proxy.
    func setConnectOnly() throws(Refusal) {
        try set(CURLOPT_CONNECT_ONLY, 1)
        try set(CURLOPT_HTTPPROXYTUNNEL, 1)
        try set(CURLOPT_BUFFERSIZE, 64 * 1024)
        try setErrorText()
    }

    /// The connection's descriptor, to wait for readiness; nil when the connection is gone.
    var activeSocket: Int32? {
        let socket = ccurl_easy_active_socket(pointer)
        return socket < 0 ? nil : socket
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> ByteRead {
        clearErrorText()
        var count = 0
        let code = curl_easy_recv(pointer, buffer.baseAddress, buffer.count, &count)
        switch code {
        case CURLE_OK: return count == 0 ? .end : .bytes(Array(buffer[..<count]))
        case CURLE_AGAIN: return .nothingYet
        default: return .failed(cause(of: code))
        }
    }

    /// After `full`, the caller must offer the same bytes again, because TLS has begun to encrypt them.
    func send(_ bytes: [UInt8], from start: Int) -> ByteWrite {
        clearErrorText()
        var count = 0
        let code = bytes.withUnsafeBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            return curl_easy_send(pointer, rest.baseAddress, rest.count, &count)
        }
        switch code {
        case CURLE_OK: return .taken(count)
        case CURLE_AGAIN: return .full
        default: return .failed(cause(of: code))
        }
    }
}
