/// Splits a list of Kubernetes objects as it arrives, and passes on each element of `items` by itself. So memory holds
/// at most one element, however long the list is. A value without I/O.
struct ItemScanner: Sendable {
    /// A problem with the text of the list.
    struct Problem: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// The list without its items: `{"kind": …, "metadata": …, "items": []}`.
    private(set) var envelope: [UInt8] = []
    private var item: [UInt8] = []
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isInItems = false
    /// The text that was read last at the top level: the key, when a value begins.
    private var lastText: [UInt8] = []

    /// The largest item, in bytes; etcd accepts 1.5 MiB.
    static let largestItem = 8 << 20
    /// The largest size of the rest of the list, in bytes.
    static let largestEnvelope = 1 << 20

    /// Whether the list is complete.
    var isComplete: Bool { depth == 0 && !envelope.isEmpty }

    /// Takes the bytes that have arrived, and passes on the items that are now complete.
    mutating func scan(_ bytes: some Sequence<UInt8>, item body: ([UInt8]) throws -> Void) throws {
        for byte in bytes {
            let isItem = isInItems && depth > 2
            if isInString {
                keep(byte, inItem: isItem)
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                    continue
                }
                if depth == 1 { lastText.append(byte) }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""):
                isInString = true
                if depth == 1 { lastText = [] }
                keep(byte, inItem: isItem)
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                if depth == 1, byte == UInt8(ascii: "["), lastText == Array("items".utf8) { isInItems = true }
                depth += 1
                keep(byte, inItem: isInItems && depth > 2)
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard depth > 0 else { throw Problem(description: "the list is not valid JSON") }
                depth -= 1
                keep(byte, inItem: isItem)
                if isItem, depth == 2 {
                    try body(item)
                    item.removeAll(keepingCapacity: true)
                } else if isInItems, depth == 1 {
                    isInItems = false
                }
            default:
                keep(byte, inItem: isItem)
            }
            guard item.count <= Self.largestItem, envelope.count <= Self.largestEnvelope else {
                throw Problem(description: "an object in the list is too large")
            }
        }
    }

    private mutating func keep(_ byte: UInt8, inItem: Bool) {
        if inItem {
            item.append(byte)
        } else if !isInItems || depth == 1 || byte == UInt8(ascii: "[") && depth == 2 {
            // The bytes between the items are omitted.
            envelope.append(byte)
        }
    }
}
