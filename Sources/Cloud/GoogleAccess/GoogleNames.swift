internal import JobTemplates

/// Names that are derived from a run and from the worker's claim on it, so that a later process finds them again.
package enum GoogleNames {
    /// The 32 hexadecimal digits of a claim.
    package static func digits(ofClaim claim: String) -> String {
        let digits = claim.lowercased().filter { $0.isASCII && $0.isHexDigit }
        return digits.count >= 32
            ? String(digits.prefix(32)) : digits + String(repeating: "0", count: 32 - digits.count)
    }

    /// The name of a Cloud Run job: a slug that begins with a letter, and the first digits of the claim.
    package static func job(_ name: String, claim: String, slugLength: Int, digits count: Int) -> String {
        var slug = Slug.make(name, lowercased: true, allowing: "", maximumLength: slugLength)
        if slug.first?.isLetter != true {
            slug = Slug.make("run-\(slug)", lowercased: true, allowing: "", maximumLength: slugLength)
        }
        return "\(slug)-\(digits(ofClaim: claim).prefix(count))"
    }

    /// Whether Cloud Run accepts a name.
    package static func isAccepted(_ name: String) -> Bool {
        guard (1...63).contains(name.utf8.count), let first = name.utf8.first, let last = name.utf8.last else {
            return false
        }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        return letters.contains(first) && (letters.contains(last) || digits.contains(last))
            && name.utf8.allSatisfy { letters.contains($0) || digits.contains($0) || $0 == UInt8(ascii: "-") }
    }
}
