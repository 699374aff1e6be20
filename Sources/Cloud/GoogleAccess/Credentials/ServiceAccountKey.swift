internal import Crypto
internal import CryptoExtras
internal import FoundationEssentials
internal import PrefectJSON

/// The private key of a service account.
package struct ServiceAccountKey: Sendable, Hashable {
    /// The e-mail address of the account.
    package let email: String
    package let keyID: String?
    /// The key in PEM.
    package let privateKey: String
    /// The URL that exchanges the assertion.
    package let tokenURL: String

    /// The key cannot sign.
    struct Unusable: Error {}

    package init(email: String, keyID: String?, privateKey: String, tokenURL: String) {
        self.email = email
        self.keyID = keyID
        self.privateKey = privateKey
        self.tokenURL = tokenURL
    }

    /// A signed assertion (RS256) that is valid for an hour from a time in seconds since 1970.
    package func assertion(issuedAt time: Int, scope: String) throws -> String {
        var header: JSONValue = ["alg": "RS256", "typ": "JWT"]
        if let keyID { header["kid"] = .string(keyID) }
        let claims: JSONValue = [
            "iss": .string(email), "scope": .string(scope), "aud": .string(tokenURL), "iat": .int(time),
            "exp": .int(time + 3600),
        ]
        let text = "\(Self.encoded(header.serializedBytes())).\(Self.encoded(claims.serializedBytes()))"
        do {
            let key = try _RSA.Signing.PrivateKey(pemRepresentation: privateKey)
            let signature = try key.signature(
                for: SHA256.hash(data: Array(text.utf8)), padding: .insecurePKCS1v1_5)
            return "\(text).\(Self.encoded(Array(signature.rawRepresentation)))"
        } catch {
            throw Unusable()
        }
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        String(
            Data(bytes).base64EncodedString().compactMap { character in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }
}
