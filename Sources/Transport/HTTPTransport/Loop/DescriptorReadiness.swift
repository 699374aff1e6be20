import CPrefectCurl

/// The kinds of readiness of a watched descriptor.
package struct DescriptorReadiness: OptionSet, Sendable {
    package let rawValue: Int16

    package init(rawValue: Int16) {
        self.rawValue = rawValue
    }

    /// Bytes, the peer's end or an error can be read.
    package static let reading = DescriptorReadiness(rawValue: Int16(CURL_WAIT_POLLIN))
    /// Bytes can be written.
    package static let writing = DescriptorReadiness(rawValue: Int16(CURL_WAIT_POLLOUT))
}
