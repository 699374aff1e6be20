internal import JobTemplates

/// Keys and values of labels and annotations, in the form that the cluster accepts. The cluster would refuse some
/// slugs of the Python worker.
enum LabelText {
    /// A label's value; empty when it would contain no letter or digit.
    static func value(_ text: String) -> String {
        let slug = Slug.kubernetesLabelValue(text)
        return slug.contains(where: isLetterOrDigit) ? slug : ""
    }

    /// A label's key, whose prefix is a domain in lower case; `nil` when its name would contain no letter or digit.
    static func labelKey(_ text: String) -> String? { key(text) { $0.lowercased() } }

    /// An annotation's key, whose prefix may contain capitals.
    static func annotationKey(_ text: String) -> String? { key(text) { $0 } }

    private static func key(_ text: String, prefix change: (String) -> String) -> String? {
        let parts = Slug.kubernetesLabelKey(text).split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let name = parts.last, name.contains(where: isLetterOrDigit) else { return nil }
        guard parts.count == 2 else { return String(name) }
        let labels = parts[0].split(separator: ".").compactMap { label -> String? in
            guard let start = label.firstIndex(where: isLetterOrDigit),
                let end = label.lastIndex(where: isLetterOrDigit)
            else { return nil }
            return String(label[start...end])
        }
        return labels.isEmpty ? String(name) : "\(change(labels.joined(separator: ".")))/\(name)"
    }

    private static func isLetterOrDigit(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber)
    }
}
