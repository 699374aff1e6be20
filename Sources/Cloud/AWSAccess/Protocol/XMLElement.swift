/// An element of an answer in XML: its text and its children. Attributes and comments are dropped.
struct XMLElement: Sendable, Hashable {
    let name: String
    fileprivate(set) var text = ""
    fileprivate(set) var children: [XMLElement] = []

    /// The first child of a name.
    subscript(name: String) -> XMLElement? { children.first { $0.name == name } }

    /// The children of a list, which are called `item` or `member`.
    func items(_ list: String) -> [XMLElement] {
        (self[list]?.children ?? []).filter { $0.name == "item" || $0.name == "member" }
    }

    /// The first element of a name at any depth.
    func first(_ name: String) -> XMLElement? {
        self.name == name ? self : children.lazy.compactMap { $0.first(name) }.first
    }

    private init(name: String) { self.name = name }

    /// Reads a document; `nil` for a text that is not well formed, or that is nested more than 64 deep.
    init?(parsing bytes: [UInt8]) {
        var open: [XMLElement] = []
        var rest = String(decoding: bytes, as: UTF8.self)[...]
        while let start = rest.firstIndex(of: "<") {
            if !open.isEmpty { open[open.count - 1].text += Self.decoded(rest[..<start]) }
            rest = rest[start...]
            if rest.hasPrefix("<!--") {
                guard let end = rest.firstRange(of: "-->") else { return nil }
                rest = rest[end.upperBound...]
                continue
            }
            if rest.hasPrefix("<![CDATA[") {
                guard let end = rest.firstRange(of: "]]>"), !open.isEmpty else { return nil }
                open[open.count - 1].text += rest[rest.index(rest.startIndex, offsetBy: 9)..<end.lowerBound]
                rest = rest[end.upperBound...]
                continue
            }
            guard let end = rest.firstIndex(of: ">") else { return nil }
            let tag = rest[rest.index(after: rest.startIndex)..<end]
            rest = rest[rest.index(after: end)...]
            guard let first = tag.first, first != "?", first != "!" else { continue }
            if first == "/" {
                guard let closed = open.popLast(), closed.name == Self.name(of: tag.dropFirst()) else { return nil }
                guard !open.isEmpty else {
                    self = closed
                    return
                }
                open[open.count - 1].children.append(closed)
                continue
            }
            let element = XMLElement(name: Self.name(of: tag))
            if !tag.hasSuffix("/") {
                guard open.count < 64 else { return nil }
                open.append(element)
            } else if open.isEmpty {
                self = element
                return
            } else {
                open[open.count - 1].children.append(element)
            }
        }
        return nil
    }

    /// The name in a tag, without a prefix.
    private static func name(of tag: Substring) -> String {
        let name = tag.prefix { !$0.isWhitespace && $0 != "/" }
        return String(name.split(separator: ":").last ?? "")
    }

    private static func decoded(_ text: Substring) -> String {
        guard text.contains("&") else { return String(text) }
        var result = ""
        var rest = text
        while let start = rest.firstIndex(of: "&") {
            result += rest[..<start]
            rest = rest[start...]
            guard let end = rest.prefix(12).firstIndex(of: ";") else {
                result.append("&")
                rest = rest.dropFirst()
                continue
            }
            result += character(rest[rest.index(after: rest.startIndex)..<end])
            rest = rest[rest.index(after: end)...]
        }
        return result + rest
    }

    private static func character(_ entity: Substring) -> String {
        switch entity {
        case "lt": return "<"
        case "gt": return ">"
        case "amp": return "&"
        case "quot": return "\""
        case "apos": return "'"
        default:
            guard entity.hasPrefix("#") else { return "" }
            let isHexadecimal = entity.hasPrefix("#x")
            let digits = entity.dropFirst(isHexadecimal ? 2 : 1)
            return UInt32(digits, radix: isHexadecimal ? 16 : 10).flatMap(Unicode.Scalar.init).map { String($0) } ?? ""
        }
    }
}
