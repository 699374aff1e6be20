internal import OrderedCollections
internal import PrefectJSON

extension TOMLReader {
    mutating func readValue() throws(TOMLError) -> JSONValue {
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "'"): .string(try readString())
        case UInt8(ascii: "["): try readArray()
        case UInt8(ascii: "{"): try readInlineTable()
        default: try readScalar()
        }
    }

    mutating func descend(by levels: Int = 1) throws(TOMLError) {
        depth += levels
        if depth > Self.maximumDepth { throw failure("values are nested deeper than \(Self.maximumDepth) levels") }
    }

    private mutating func readArray() throws(TOMLError) -> JSONValue {
        try descend()
        position += 1
        var elements: [JSONValue] = []
        while true {
            try skipBlanksAndLines()
            if consume(UInt8(ascii: "]")) { break }
            if next == nil || next == UInt8(ascii: ",") || next == UInt8(ascii: "}") {
                throw failure("a value or ']' is expected")
            }
            elements.append(try readValue())
            try skipBlanksAndLines()
            if consume(UInt8(ascii: ",")) { continue }
            guard consume(UInt8(ascii: "]")) else { throw failure("',' or ']' is expected") }
            break
        }
        depth -= 1
        return .array(elements)
    }

    private mutating func readInlineTable() throws(TOMLError) -> JSONValue {
        try descend()
        position += 1
        let table = TOMLTable(.header)
        skipBlanks()
        if !consume(UInt8(ascii: "}")) {
            repeat {
                skipBlanks()
                try readPair(into: table)
                skipBlanks()
            } while consume(UInt8(ascii: ","))
            guard consume(UInt8(ascii: "}")) else { throw failure("',' or '}' is expected on the line of '{'") }
        }
        depth -= 1
        return .object(table.json)
    }
}
