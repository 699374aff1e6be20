package import JobTemplates
internal import OrderedCollections
package import PrefectClient
package import PrefectJSON
internal import Synchronization

/// The secrets that entered a configuration during its rendering, so that displays of the configuration can mask them.
package final class RevealedSecrets: Sendable {
    /// The replacement for a secret.
    package static let mask = "********"

    private let values = Mutex<Set<String>>([])

    /// No secrets yet.
    package init() {}

    func record(_ value: JSONValue) {
        switch value {
        case .string(let text) where !text.isEmpty: values.withLock { _ = $0.insert(text) }
        case .array(let elements): for element in elements { record(element) }
        case .object(let members): for member in members.values { record(member) }
        default: break
        }
    }

    /// A text without the secrets. Very short secrets stay, because they would match everywhere.
    func redacting(_ text: String) -> String {
        let known = values.withLock { $0 }
        return known.isEmpty ? text : SecretRedactor(secrets: Array(known)).redact(text)
    }

    /// A value with its secrets masked: values from blocks, values from the settings, and values of environment
    /// variables with names that indicate a secret.
    package func masking(_ value: JSONValue, _ redactor: SecretRedactor) -> JSONValue {
        let known = values.withLock { $0 }
        // A short secret is masked only where it is a whole value, because it would match everywhere.
        let inText = SecretRedactor(secrets: Array(known))
        return Self.mapStrings(value, key: nil) { key, text in
            if known.contains(text) { return Self.mask }
            if let key, Self.namesSecret(key), !text.isEmpty { return Self.mask }
            return inText.redact(redactor.redact(text))
        }
    }

    private static func mapStrings(
        _ value: JSONValue, key: String?, _ transform: (String?, String) -> String
    ) -> JSONValue {
        switch value {
        case .string(let text): return .string(transform(key, text))
        case .array(let elements): return .array(elements.map { mapStrings($0, key: nil, transform) })
        case .object(let members):
            // Kubernetes writes a variable as {"name": …, "value": …}, Azure a secret one as {…, "secureValue": …}.
            let name = members["name"]?.stringValue
            return .object(
                OrderedDictionary(
                    uniqueKeysWithValues: members.map { member in
                        let isNamedValue = ["value", "secureValue"].contains(member.key) && name != nil
                        return (member.key, mapStrings(member.value, key: isNamedValue ? name : member.key, transform))
                    }))
        default: return value
        }
    }

    /// Whether a name indicates that its value is a secret.
    static func namesSecret(_ name: String) -> Bool {
        let words = name.uppercased().split(whereSeparator: { !$0.isLetter && !$0.isNumber })
        let secretWords: Set<Substring> = [
            "PASSWORD", "PASSWD", "SECRET", "SECRETS", "TOKEN", "CREDENTIAL", "CREDENTIALS", "APIKEY",
        ]
        if words.contains(where: secretWords.contains) { return true }
        let pairs = zip(words, words.dropFirst()).map { "\($0)_\($1)" }
        return pairs.contains { ["API_KEY", "AUTH_STRING", "PRIVATE_KEY", "ACCESS_KEY"].contains($0) }
    }
}

/// References that record the values that they return.
package struct RecordingReferences: TemplateReferences {
    private let base: any TemplateReferences
    private let secrets: RevealedSecrets

    /// References that record the blocks that they read; variables are not secrets.
    package init(_ base: any TemplateReferences, recording secrets: RevealedSecrets) {
        self.base = base
        self.secrets = secrets
    }

    package func blockDocument(id: String) async throws -> JSONValue {
        try await recorded(base.blockDocument(id: id))
    }

    package func blockDocument(typeSlug: String, name: String) async throws -> JSONValue {
        try await recorded(base.blockDocument(typeSlug: typeSlug, name: name))
    }

    package func variable(named name: String) async throws -> JSONValue? { try await base.variable(named: name) }

    private func recorded(_ document: JSONValue) -> JSONValue {
        secrets.record(document)
        return document
    }
}
