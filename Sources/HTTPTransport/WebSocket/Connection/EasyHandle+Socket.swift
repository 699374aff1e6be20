import CCurl

/// What libcurl allows with a handle that is to do no more than connect.
extension EasyHandle {
    enum Received {
        /// Never empty.
        case bytes([UInt8])
        case nothingYet
        case end
        case failed(String)
    }

    enum Sent {
        case taken(Int)
        case full
        case failed(String)
    }

    /// After `configure`: stop when the connection is ready, through a tunnel where there is a proxy.
    func setConnectOnly() throws(Refusal) {
        try set(CURLOPT_CONNECT_ONLY, 1)
        try set(CURLOPT_HTTPPROXYTUNNEL, 1)
        try set(CURLOPT_BUFFERSIZE, 64 * 1024)
        try setErrorText()
    }

    /// The connection's descriptor, to wait for; nil when the connection is gone.
    var activeSocket: Int32? {
        let socket = ccurl_easy_active_socket(pointer)
        return socket < 0 ? nil : socket
    }

    func receive(into buffer: UnsafeMutableRawBufferPointer) -> Received {
        clearErrorText()
        var count = 0
        let code = curl_easy_recv(pointer, buffer.baseAddress, buffer.count, &count)
        switch code {
        case CURLE_OK: return count == 0 ? .end : .bytes(Array(buffer[..<count]))
        case CURLE_AGAIN: return .nothingYet
        default: return .failed(cause(of: code))
        }
    }

    /// When it is full, the same bytes are to be offered again: TLS has begun to encrypt them.
    func send(_ bytes: [UInt8], from start: Int) -> Sent {
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
