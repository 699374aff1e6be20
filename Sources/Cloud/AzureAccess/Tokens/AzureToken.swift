internal import FoundationEssentials
internal import HTTPTransport
internal import PrefectConcurrency
internal import PrefectJSON
internal import PrefectREST

/// A token for the Resource Manager.
package struct AzureToken: Sendable, Hashable {
    /// The token itself, a secret.
    package let text: String
    /// The source of the token, for messages.
    package let source: String

    /// A claim of the token, where it is a JSON Web Token; `nil` for an absent claim.
    package func claim(_ name: String) -> String? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let payload = Base64URL.decode(String(parts[1])),
            let json = try? JSONValue(parsing: payload)
        else { return nil }
        return json[name]?.stringValue
    }
}

/// A source of tokens.
protocol TokenSource: Sendable {
    /// The name of the source in messages.
    var name: String { get }

    /// Requests a token. Throws ``SourceUnavailable`` when the source is not configured or not present.
    func read(for cloud: AzureCloud) async throws -> RenewedValue<AzureToken>.Reading
}

extension TokenSource {
    /// The token of an answer of a token service: `access_token`, and `expires_in` or `expires_on` in seconds.
    func reading(of json: JSONValue) throws -> RenewedValue<AzureToken>.Reading {
        guard let text = json["access_token"]?.stringValue, !text.isEmpty else {
            throw AzureCredentialError("The \(name) gave an answer without a token; check its endpoint")
        }
        let token = AzureToken(text: text, source: name)
        if let seconds = number(json["expires_in"]) { return .init(token, lifetime: .pause(seconds: seconds)) }
        if let moment = number(json["expires_on"]) {
            return .init(token, lifetime: .pause(seconds: moment - Date().timeIntervalSince1970))
        }
        return .init(token, lifetime: .seconds(300))
    }

    func number(_ value: JSONValue?) -> Double? { value?.doubleValue ?? value?.stringValue.flatMap { Double($0) } }
}

/// Base64 for URLs, without padding.
enum Base64URL {
    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").filter { $0 != "=" }
    }

    static func decode(_ text: String) -> [UInt8]? {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        let padding = String(repeating: "=", count: (4 - standard.utf8.count % 4) % 4)
        return Data(base64Encoded: standard + padding).map { Array($0) }
    }
}
