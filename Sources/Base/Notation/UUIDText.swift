/// The text of a UUID of RFC 9562 from 16 bytes, in lower case. The bits of the version and the variant are set; missing
/// bytes are zero.
///
/// - Parameter version: The UUID's version, 1 to 15.
package func uuidText(_ bytes: some Sequence<UInt8>, version: UInt8) -> String {
    var bytes = Array((Array(bytes) + Array(repeating: 0, count: 16)).prefix(16))
    bytes[6] = bytes[6] & 0x0F | version << 4
    bytes[8] = bytes[8] & 0x3F | 0x80
    return [bytes[0..<4], bytes[4..<6], bytes[6..<8], bytes[8..<10], bytes[10..<16]]
        .map { hexadecimal($0) }.joined(separator: "-")
}
