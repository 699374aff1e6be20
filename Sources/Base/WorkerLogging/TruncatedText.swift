extension String {
    /// Returns the first `limit` UTF-8 bytes, cut between two characters, and a note that states how many bytes are
    /// missing.
    func truncated(toBytes limit: Int) -> String {
        let size = utf8.count
        guard size > limit else { return self }
        var end = utf8.index(startIndex, offsetBy: limit)
        while end > startIndex, end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return self[..<end] + "… (\(size - utf8.distance(from: startIndex, to: end)) more bytes)"
    }
}
