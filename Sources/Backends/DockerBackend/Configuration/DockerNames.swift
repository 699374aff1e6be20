internal import JobTemplates

extension Slug {
    /// A container's name for Docker; `nil` when the slug is empty, so that the engine must choose a name.
    static func dockerContainerName(_ name: String) -> String? {
        let slug = make(name, lowercased: false, allowing: "_.", maximumLength: 250)
        let trimmed = slug.drop { "_-.".contains($0) }
        return trimmed.isEmpty ? nil : String(trimmed)
    }

    /// A container label's key for Docker. The domain before the slash is reversed: `prefect.io/version` becomes
    /// `io.prefect.version`.
    static func dockerLabelKey(_ key: String) -> String {
        guard let slash = key.utf8.firstIndex(of: UInt8(ascii: "/")) else { return key }
        let domain = key.utf8[..<slash].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            .reversed().map { String(decoding: $0, as: UTF8.self) }.joined(separator: ".")
        return "\(domain).\(String(decoding: key.utf8[slash...].dropFirst(), as: UTF8.self))"
    }
}
