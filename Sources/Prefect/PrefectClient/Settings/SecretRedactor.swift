internal import FoundationEssentials

/// Replaces known secrets in text before the text is shown.
package struct SecretRedactor: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The minimum length of a secret, in characters. Shorter values would mask ordinary words.
    package static let minimumLength = 6

    /// The secrets as UTF-8, grouped by their first byte, the longest first.
    private let secrets: [UInt8: [[UInt8]]]
    /// For each byte, whether a secret begins with it.
    private let isFirstByte: [Bool]

    /// Creates a redactor for these secrets. Secrets of fewer than ``minimumLength`` characters are omitted.
    package init(secrets: [String]) {
        let known = Set(secrets.filter { $0.count >= Self.minimumLength }.map { Array($0.utf8) })
        self.secrets = Dictionary(grouping: known) { $0[0] }
            .mapValues { group in group.sorted { $0.count > $1.count } }
        var isFirstByte = [Bool](repeating: false, count: 256)
        for secret in known { isFirstByte[Int(secret[0])] = true }
        self.isFirstByte = isFirstByte
    }

    /// The text with every occurrence of a secret replaced by ``Secret/mask``. A text without secrets is returned
    /// unchanged, after one pass over its bytes.
    package func redact(_ text: String) -> String {
        if secrets.isEmpty { return text }
        var text = text
        let redacted = text.withUTF8 { bytes in redact(bytes) }
        return redacted ?? text
    }

    private func redact(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        var output: [UInt8]?
        var copied = 0
        var index = 0
        while index < bytes.count {
            guard isFirstByte[Int(bytes[index])], let candidates = secrets[bytes[index]],
                let secret = candidates.first(where: { bytes[index...].starts(with: $0) })
            else {
                index += 1
                continue
            }
            var masked = output ?? []
            masked.append(contentsOf: bytes[copied..<index])
            masked.append(contentsOf: Secret.mask.utf8)
            output = masked
            index += secret.count
            copied = index
        }
        guard var output else { return nil }
        output.append(contentsOf: bytes[copied...])
        return String(decoding: output, as: UTF8.self)
    }

    /// The number of known secrets.
    package var description: String { "SecretRedactor(\(secrets.values.reduce(0) { $0 + $1.count }) secrets)" }
    /// The same as ``description``.
    package var debugDescription: String { description }
    /// A mirror without children.
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension PrefectSettings {
    /// A redactor for the secrets in these settings. It masks the API key, the auth string, the password in it, and its
    /// form in a request. It also masks the password of the API's URL, the database's credentials, and custom headers
    /// that are credentials.
    package var redactor: SecretRedactor {
        var secrets: [String] = []
        for assignment in assignments {
            switch assignment.value {
            case .secret(let secret): secrets.append(secret.reveal())
            case .string(let text): if let password = text.urlPassword { secrets.append(String(password)) }
            default: continue
            }
        }
        if let authString {
            let text = authString.reveal()
            if let colon = text.firstIndex(of: ":") { secrets.append(String(text[text.index(after: colon)...])) }
            secrets.append(Data(text.utf8).base64EncodedString())
        }
        for header in customHeaders where Self.isCredential(header.name) {
            secrets.append(header.value)
            // In "Bearer TOKEN", the token without its scheme is just as secret.
            if let space = header.value.firstIndex(of: " ") {
                secrets.append(String(header.value[header.value.index(after: space)...]))
            }
        }
        return SecretRedactor(secrets: secrets)
    }

    private static func isCredential(_ header: String) -> Bool {
        let name = header.lowercased()
        return ["authorization", "cookie", "token", "key", "secret", "password"].contains { name.contains($0) }
    }
}
