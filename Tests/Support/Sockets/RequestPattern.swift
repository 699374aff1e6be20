/// A pattern for requests: a method and a path with wildcards.
public struct RequestPattern: Sendable, Hashable, CustomStringConvertible {
    /// The method; `nil` matches every method.
    public let method: String?
    /// The path without the query, where `*` stands for any text, slashes included.
    public let path: String

    /// A pattern.
    public init(method: String? = nil, path: String = "*") {
        self.method = method
        self.path = path
    }

    /// Whether the pattern matches a request.
    public func matches(method: String, path: String) -> Bool {
        if let wanted = self.method, wanted.uppercased() != method.uppercased() { return false }
        let pieces = self.path.split(separator: "*", omittingEmptySubsequences: false).map { Array($0.utf8) }
        guard var piece = pieces.first else { return true }
        var rest = Array(path.utf8)[...]
        guard rest.starts(with: piece) else { return false }
        if pieces.count == 1 { return rest.count == piece.count }
        rest = rest.dropFirst(piece.count)
        for middle in pieces.dropFirst().dropLast() {
            piece = middle
            while !rest.starts(with: piece) {
                guard rest.popFirst() != nil else { return false }
            }
            rest = rest.dropFirst(piece.count)
        }
        guard let last = pieces.last else { return true }
        return rest.count >= last.count && rest.suffix(last.count).elementsEqual(last)
    }

    public var description: String { "\(method ?? "*") \(path)" }
}
