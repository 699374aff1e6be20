/// A number in lower-case hexadecimal digits, with zeros in front up to `width` digits.
package func hexadecimal(_ number: some UnsignedInteger, width: Int) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

/// Bytes in lower-case hexadecimal digits, two for each byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { hexadecimal($0, width: 2) }.joined()
}
