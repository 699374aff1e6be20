internal import CSystemd

/// A value of a D-Bus message, in the types that service managers use.
package indirect enum BusValue: Sendable, Hashable {
    case string(String)
    case objectPath(String)
    case boolean(Bool)
    case byte(UInt8)
    case int32(Int32)
    case uint32(UInt32)
    case uint64(UInt64)
    /// An open descriptor. The receiver gets a descriptor of its own.
    case descriptor(Int32)
    /// Elements of one type. The array may be empty, so the signature of the type is explicit.
    case array(of: String, [BusValue])
    case structure([BusValue])
    case variant(BusValue)

    /// A list of texts.
    package static func strings(_ texts: [String]) -> BusValue { .array(of: "s", texts.map(BusValue.string)) }

    /// The bytes of a text.
    package static func bytes(_ text: String) -> BusValue { .array(of: "y", text.utf8.map(BusValue.byte)) }

    /// The type in the notation of D-Bus.
    package var signature: String {
        switch self {
        case .string: "s"
        case .objectPath: "o"
        case .boolean: "b"
        case .byte: "y"
        case .int32: "i"
        case .uint32: "u"
        case .uint64: "t"
        case .descriptor: "h"
        case .array(let element, _): "a" + element
        case .structure(let members): "(" + members.map(\.signature).joined() + ")"
        case .variant: "v"
        }
    }

    /// The text of a string or an object path.
    package var text: String? {
        switch self {
        case .string(let text), .objectPath(let text): text
        case .variant(let value): value.text
        default: nil
        }
    }

    /// The elements of an array, or the members of a structure.
    package var elements: [BusValue]? {
        switch self {
        case .array(_, let elements), .structure(let elements): elements
        case .variant(let value): value.elements
        default: nil
        }
    }
}

/// The type codes of sd-bus.
private enum TypeCode {
    static func of(_ letter: Unicode.Scalar) -> CChar { CChar(truncatingIfNeeded: letter.value) }
    static let array = of("a")
    static let structure = of("r")
    static let variant = of("v")
}

// Messages are used on the thread of their bus.
extension BusValue {
    /// Writes the value into a message. Returns a negative error number on failure.
    func append(to message: OpaquePointer) -> Int32 {
        switch self {
        case .string(let text): return sd_bus_message_append_basic(message, TypeCode.of("s"), text)
        case .objectPath(let text): return sd_bus_message_append_basic(message, TypeCode.of("o"), text)
        case .boolean(let value):
            var number: Int32 = value ? 1 : 0
            return sd_bus_message_append_basic(message, TypeCode.of("b"), &number)
        case .byte(var value): return sd_bus_message_append_basic(message, TypeCode.of("y"), &value)
        case .int32(var value): return sd_bus_message_append_basic(message, TypeCode.of("i"), &value)
        case .uint32(var value): return sd_bus_message_append_basic(message, TypeCode.of("u"), &value)
        case .uint64(var value): return sd_bus_message_append_basic(message, TypeCode.of("t"), &value)
        case .descriptor(var value): return sd_bus_message_append_basic(message, TypeCode.of("h"), &value)
        case .array(let type, let elements):
            return Self.append(elements, in: TypeCode.array, type, to: message)
        case .structure(let members):
            return Self.append(members, in: TypeCode.structure, members.map(\.signature).joined(), to: message)
        case .variant(let value): return Self.append([value], in: TypeCode.variant, value.signature, to: message)
        }
    }

    private static func append(
        _ values: [BusValue], in container: CChar, _ contents: String, to message: OpaquePointer
    ) -> Int32 {
        var status = sd_bus_message_open_container(message, container, contents)
        for value in values where status >= 0 { status = value.append(to: message) }
        return status < 0 ? status : sd_bus_message_close_container(message)
    }

    /// Reads all remaining values of a message, or of its current container. Returns `nil` for unsupported types.
    static func readAll(of message: OpaquePointer) -> [BusValue]? {
        var values: [BusValue] = []
        while true {
            var type: CChar = 0
            var contents: UnsafePointer<CChar>?
            let status = sd_bus_message_peek_type(message, &type, &contents)
            if status == 0 { return values }
            guard status > 0, let value = read(type, contents.map { String(cString: $0) } ?? "", message) else {
                return nil
            }
            values.append(value)
        }
    }

    private static func read(_ type: CChar, _ contents: String, _ message: OpaquePointer) -> BusValue? {
        func basic<Value: BitwiseCopyable>(_ start: Value) -> Value? {
            var value = start
            return sd_bus_message_read_basic(message, type, &value) > 0 ? value : nil
        }
        func text() -> String? { basic(nil as UnsafePointer<CChar>?).flatMap { $0 }.map { String(cString: $0) } }
        func members() -> [BusValue]? {
            guard sd_bus_message_enter_container(message, type, contents) > 0, let values = readAll(of: message),
                sd_bus_message_exit_container(message) >= 0
            else { return nil }
            return values
        }
        switch Unicode.Scalar(UInt8(bitPattern: type)) {
        case "s": return text().map(BusValue.string)
        case "o": return text().map(BusValue.objectPath)
        case "b": return basic(Int32(0)).map { .boolean($0 != 0) }
        case "y": return basic(UInt8(0)).map(BusValue.byte)
        case "i": return basic(Int32(0)).map(BusValue.int32)
        case "u": return basic(UInt32(0)).map(BusValue.uint32)
        case "t": return basic(UInt64(0)).map(BusValue.uint64)
        case "a": return members().map { .array(of: contents, $0) }
        case "r": return members().map(BusValue.structure)
        case "v": return members()?.first.map(BusValue.variant)
        default: return nil
        }
    }
}
