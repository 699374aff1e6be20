internal import JobTemplates

extension Slug {
    /// The start of a generated object name for Kubernetes; `nil` when the slug is empty.
    static func kubernetesName(_ name: String, maximumLength: Int = 45) -> String? {
        let slug = make(name, lowercased: true, allowing: "", maximumLength: maximumLength)
        return slug.isEmpty ? nil : slug
    }

    /// A label's value for Kubernetes; the text itself when the slug is empty.
    static func kubernetesLabelValue(_ value: String) -> String {
        trimmedLabel(value, allowing: "_.", maximumLength: 63)
    }

    /// A label's or an annotation's key for Kubernetes, with its prefix before the first slash. A part whose slug is
    /// empty stays unchanged.
    static func kubernetesLabelKey(_ key: String) -> String {
        guard let slash = key.utf8.firstIndex(of: UInt8(ascii: "/")) else {
            return trimmedLabel(key, allowing: "_.", maximumLength: 63)
        }
        let prefix = String(decoding: key.utf8[..<slash], as: UTF8.self)
        let name = String(decoding: key.utf8[slash...].dropFirst(), as: UTF8.self)
        let nameSlug = trimmedLabel(name, allowing: "_.", maximumLength: 63)
        return prefix.isEmpty ? nameSlug : "\(trimmedLabel(prefix, allowing: ".", maximumLength: 253))/\(nameSlug)"
    }

    private static func trimmedLabel(_ text: String, allowing extra: String, maximumLength: Int) -> String {
        let slug = trim(make(text, lowercased: false, allowing: extra, maximumLength: maximumLength), of: "_-.")
        return slug.isEmpty ? text.prefix(bytes: longestText) : slug
    }
}
