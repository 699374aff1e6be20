internal import CryptoExtras
internal import FoundationEssentials
internal import PrefectJSON

/// The certificate of an application with its private key, which signs assertions.
struct ClientCertificate: Sendable {
    /// The certificates in their binary form, that of the application first.
    let certificates: [[UInt8]]
    private let key: _RSA.Signing.PrivateKey

    /// Reads a PEM file with a certificate and an RSA key, which may be encrypted.
    init(pem: String, password: String?, path: String) throws(AzureCredentialError) {
        let blocks = Self.blocks(of: pem)
        certificates = blocks.filter { $0.label == "CERTIFICATE" }.compactMap { block in
            Data(base64Encoded: block.base64).map { Array($0) }
        }
        guard !certificates.isEmpty, let block = blocks.first(where: { $0.label.hasSuffix("PRIVATE KEY") }) else {
            throw AzureCredentialError(
                "The file '\(path)' needs a certificate and its private key in PEM form; convert it with 'openssl pkcs12 "
                    + "-in FILE -nodes'")
        }
        do {
            key =
                if block.label.hasPrefix("ENCRYPTED") || block.text.contains("Proc-Type: 4,ENCRYPTED") {
                    try _RSA.Signing.PrivateKey(
                        encryptedPEMRepresentation: block.text,
                        passphraseCallback: { (set: _RSA.Signing.PrivateKey.PassphraseSetter<[UInt8]>) in
                            set(Array((password ?? "").utf8))
                        })
                } else {
                    try _RSA.Signing.PrivateKey(pemRepresentation: block.text)
                }
        } catch {
            throw AzureCredentialError(
                "The private key in '\(path)' cannot be read; it should be an RSA key of 2048 bits or more, with its "
                    + "password in AZURE_CLIENT_CERTIFICATE_PASSWORD")
        }
    }

    /// A signed statement that the sender is the application. It is valid for ten minutes.
    func assertion(
        clientID: String, audience: String, sendsChain: Bool, now: Date = Date()
    ) throws(AzureCredentialError) -> String {
        let certificate = certificates.first ?? []
        var header: JSONValue = [
            "alg": "RS256", "typ": "JWT",
            "x5t": .string(Base64URL.encode(Insecure.SHA1.hash(data: certificate))),
            "x5t#S256": .string(Base64URL.encode(SHA256.hash(data: certificate))),
        ]
        if sendsChain {
            header["x5c"] = .array(certificates.map { .string(Data($0).base64EncodedString()) })
        }
        let seconds = Int(exactly: now.timeIntervalSince1970.rounded(.down)) ?? 0
        let claims: JSONValue = [
            "aud": .string(audience), "iss": .string(clientID), "sub": .string(clientID),
            "jti": .string(UUID().uuidString.lowercased()), "nbf": .int(seconds), "iat": .int(seconds),
            "exp": .int(seconds + 600),
        ]
        let signed = "\(Base64URL.encode(header.serializedBytes())).\(Base64URL.encode(claims.serializedBytes()))"
        do {
            let signature = try key.signature(for: Data(signed.utf8), padding: .insecurePKCS1v1_5)
            return "\(signed).\(Base64URL.encode(signature.rawRepresentation))"
        } catch {
            throw AzureCredentialError("The private key of the client certificate cannot sign; create another key")
        }
    }

    private struct Block {
        let label: String
        let base64: String
        let text: String
    }

    private static func blocks(of pem: String) -> [Block] {
        var blocks: [Block] = []
        var label: String?
        var lines: [String] = []
        for line in pem.split(whereSeparator: \.isNewline).map(String.init) {
            if line.hasPrefix("-----BEGIN "), line.hasSuffix("-----") {
                label = String(line.dropFirst(11).dropLast(5))
                lines = [line]
            } else if let known = label {
                lines.append(line)
                guard line == "-----END \(known)-----" else { continue }
                blocks.append(
                    Block(
                        label: known, base64: lines.dropFirst().dropLast().joined(),
                        text: lines.joined(separator: "\n") + "\n"))
                label = nil
            }
        }
        return blocks
    }
}
