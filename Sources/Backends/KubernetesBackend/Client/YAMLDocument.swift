internal import CYAML
internal import OrderedCollections
internal import PrefectJSON

/// Reads YAML, which includes JSON, as the JSON value that it represents.
enum YAMLDocument {
    /// A problem with a text that should be YAML, in one line that does not contain the text itself.
    struct Problem: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// The largest number of values, including those that aliases repeat. A few lines of aliases could stand for
    /// billions.
    static let maximumValues = 100_000

    /// Parses the first document of a text; an empty text is `null`.
    static func parse(_ text: String) throws(Problem) -> JSONValue {
        let reader = try Reader(text)
        while true {
            switch try reader.next() {
            case .streamBegin, .documentBegin: continue
            case .documentEnd, .streamEnd: return .null
            case let event: return try reader.value(event, depth: 0).json
            }
        }
    }

    /// The events of libyaml that the reader needs.
    private enum Event {
        case streamBegin, streamEnd, documentBegin, documentEnd
        case scalar(JSONValue, anchor: String?)
        case sequence(anchor: String?)
        case mapping(anchor: String?)
        case end
        case alias(String)
    }

    /// A value, with its number of values and the depth of their nesting.
    private struct Measured {
        var json: JSONValue
        var count = 1
        var depth = 1

        mutating func add(_ part: Measured) {
            count += part.count
            depth = max(depth, part.depth + 1)
        }
    }

    private final class Reader {
        private let parser: UnsafeMutablePointer<yaml_parser_t>
        private let bytes: UnsafeMutableBufferPointer<UInt8>
        private var anchors: [String: Measured] = [:]
        private var count = 0

        init(_ text: String) throws(Problem) {
            parser = .allocate(capacity: 1)
            bytes = .allocate(capacity: text.utf8.count)
            _ = bytes.initialize(from: text.utf8)
            guard yaml_parser_initialize(parser) == 1 else {
                throw Problem(description: "there is no memory to read it")
            }
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        }

        deinit {
            yaml_parser_delete(parser)
            parser.deallocate()
            bytes.deallocate()
        }

        func next() throws(Problem) -> Event {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else {
                let mark = parser.pointee.problem_mark
                throw Problem(
                    description: "it is not valid YAML (line \(mark.line &+ 1), column \(mark.column &+ 1))")
            }
            defer { yaml_event_delete(&event) }
            switch event.type {
            case YAML_SCALAR_EVENT:
                let scalar = event.data.scalar
                let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
                let text = String(decoding: bytes, as: UTF8.self)
                let json =
                    scalar.plain_implicit == 1 ? Scalar.json(text) : Scalar.json(text, tag: Self.text(scalar.tag))
                return .scalar(json, anchor: Self.text(scalar.anchor))
            case YAML_SEQUENCE_START_EVENT: return .sequence(anchor: Self.text(event.data.sequence_start.anchor))
            case YAML_MAPPING_START_EVENT: return .mapping(anchor: Self.text(event.data.mapping_start.anchor))
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: return .end
            case YAML_ALIAS_EVENT: return .alias(Self.text(event.data.alias.anchor) ?? "")
            case YAML_DOCUMENT_START_EVENT: return .documentBegin
            case YAML_DOCUMENT_END_EVENT: return .documentEnd
            case YAML_STREAM_START_EVENT: return .streamBegin
            default: return .streamEnd
            }
        }

        private static func text(_ bytes: UnsafeMutablePointer<yaml_char_t>?) -> String? {
            bytes.map { String(cString: $0) }
        }

        /// The value that an event begins, `depth` levels below the top.
        func value(_ event: Event, depth: Int) throws(Problem) -> Measured {
            let anchor: String?
            var whole: Measured
            switch event {
            case .scalar(let json, let name):
                whole = Measured(json: json)
                anchor = name
            case .sequence(let name):
                (whole, anchor) = (try sequence(depth), name)
            case .mapping(let name):
                (whole, anchor) = (try mapping(depth), name)
            case .alias(let name):
                guard let value = anchors[name] else {
                    throw Problem(description: "it refers to an anchor that it does not have")
                }
                try take(value.count, depth + value.depth)
                return value
            case .end, .streamBegin, .streamEnd, .documentBegin, .documentEnd:
                throw Problem(description: "it is not valid YAML")
            }
            try take(1, depth)
            if let anchor { anchors[anchor] = whole }
            return whole
        }

        private func sequence(_ depth: Int) throws(Problem) -> Measured {
            var (whole, values) = (Measured(json: .null), [JSONValue]())
            while let element = try element(depth) {
                values.append(element.json)
                whole.add(element)
            }
            whole.json = .array(values)
            return whole
        }

        private func mapping(_ depth: Int) throws(Problem) -> Measured {
            var (whole, members) = (Measured(json: .null), OrderedDictionary<String, JSONValue>())
            while let key = try element(depth), let member = try element(depth) {
                guard let name = key.json.stringValue else { throw Problem(description: "a key in it is not a string") }
                members[name] = member.json
                whole.add(key)
                whole.add(member)
            }
            whole.json = .object(members)
            return whole
        }

        /// The next value of a sequence or mapping; `nil` at its end.
        private func element(_ depth: Int) throws(Problem) -> Measured? {
            let event = try next()
            if case .end = event { return nil }
            try take(0, depth + 1)
            return try value(event, depth: depth + 1)
        }

        /// Counts values, and checks their number and their depth.
        private func take(_ values: Int, _ depth: Int) throws(Problem) {
            count += values
            guard count <= maximumValues, depth < JSONValue.maximumDepth else {
                throw Problem(description: "it holds too many values, or they are nested too deep")
            }
        }
    }

    /// A scalar of YAML 1.1, as in kubeconfigs.
    private enum Scalar {
        private static let prefix = "tag:yaml.org,2002:"

        /// The value of a plain scalar, according to its form. Times stay text.
        static func json(_ text: String) -> JSONValue {
            switch text {
            case "", "~", "null", "Null", "NULL": return .null
            case "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON": return true
            case "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF": return false
            default: return number(text) ?? .string(text)
            }
        }

        /// The value of a scalar that is quoted or has an explicit tag.
        static func json(_ text: String, tag: String?) -> JSONValue {
            guard let tag, tag.hasPrefix(prefix), tag != prefix + "str" else { return .string(text) }
            return json(text)
        }

        private static func number(_ text: String) -> JSONValue? {
            guard let first = text.utf8.first, "+-.0123456789".utf8.contains(first) else { return nil }
            let plain = text.replacing("_", with: "")
            let isNegative = plain.hasPrefix("-")
            let digits = plain.drop { $0 == "-" || $0 == "+" }
            guard plain.count - digits.count <= 1, digits.utf8.first.map({ $0 < 58 }) == true else { return nil }
            for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8), ("0", 8)] where digits.hasPrefix(prefix) {
                let rest = digits.dropFirst(prefix.count)
                guard !rest.isEmpty, rest.utf8.first != 46 else { break }
                return Int((isNegative ? "-" : "") + rest, radix: radix).map(JSONValue.int)
            }
            if let whole = Int(plain) { return .int(whole) }
            guard digits.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }), let number = Double(plain),
                number.isFinite
            else { return nil }
            return .double(number)
        }
    }
}
