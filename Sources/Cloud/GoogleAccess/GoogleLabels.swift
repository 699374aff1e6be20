internal import JobTemplates
package import OrderedCollections

/// Labels in the forms that Google's services accept: at most 64, with keys and values of at most 63 characters.
package enum GoogleLabels {
    /// The most labels of a resource.
    package static let largestCount = 64
    private static let longest = 63
    /// The label with the mark of the worker that created a resource.
    package static let owner = "prefect-worker-owner"
    /// The label with the claim for which a resource was created.
    package static let claim = "prefect-worker-claim"

    /// Cloud Run's form: a key begins with a letter, and each other character becomes a hyphen of its own.
    package static func plain(_ labels: OrderedDictionary<String, String>) -> OrderedDictionary<String, String> {
        var result: OrderedDictionary<String, String> = [:]
        for (key, value) in labels {
            let safe = String(hyphened(key).drop { !("a"..."z").contains($0) }.prefix(longest))
            if !safe.isEmpty { result[safe] = String(hyphened(value).prefix(longest)) }
        }
        return result
    }

    private static func hyphened(_ text: String) -> String {
        let scalars = text.lowercased().unicodeScalars.map { scalar -> Unicode.Scalar in
            switch scalar {
            case "a"..."z", "0"..."9", "_", "-": scalar
            default: "-"
            }
        }
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }

    /// Vertex AI's form: other scripts are transliterated.
    package static func transliterated(
        _ labels: OrderedDictionary<String, String>
    ) -> OrderedDictionary<String, String> {
        var result: OrderedDictionary<String, String> = [:]
        for (key, value) in labels where result.count < largestCount - 2 || result[slug(key)] != nil {
            let safe = slug(key)
            if !safe.isEmpty { result[safe] = slug(value) }
        }
        return result
    }

    private static func slug(_ text: String) -> String {
        Slug.make(
            text.replacing("/", with: "_").replacing(".", with: "-"), lowercased: true, allowing: "_",
            maximumLength: longest)
    }

    /// Adds labels to those that a template already has, which take precedence and are never dropped. If there are too many,
    /// the last of `labels` are left out.
    package static func merge(
        _ labels: OrderedDictionary<String, String>, into existing: OrderedDictionary<String, String>
    ) -> OrderedDictionary<String, String> {
        var result = labels.merging(existing) { $1 }
        for key in labels.keys.reversed() where result.count > largestCount && existing[key] == nil {
            result[key] = nil
        }
        return result
    }

    /// Adds the marks of the worker to the labels of a resource. If there are too many, the last are left out.
    package static func marked(
        _ labels: OrderedDictionary<String, String>, owner: String?, claim: String
    ) -> OrderedDictionary<String, String> {
        var result = labels
        let marks = (owner == nil ? 1 : 2)
        while result.count > largestCount - marks { result.removeLast() }
        if let owner { result[Self.owner] = value(owner) }
        result[Self.claim] = value(claim)
        return result
    }

    /// A mark as the value of a label.
    package static func value(_ text: String) -> String { String(hyphened(text).prefix(longest)) }
}
