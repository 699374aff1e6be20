internal import Crypto
package import FoundationEssentials
internal import HTTPTransport
internal import Notation
internal import PrefectJSON
internal import PrefectREST

/// The proof of an identity of AWS: a signed request `GetCallerIdentity`, which Google's token service sends.
extension TokenExchange {
    private struct Keys {
        var accessKey: String
        var secretKey: String
        var sessionToken: String?
    }

    func subjectToken(_ subject: AWSSubject, audience: String) async throws -> String {
        let session = try await sessionHeaders(subject)
        let region = try await region(subject, session)
        let keys = try await keys(subject, session)
        let url = subject.verificationURL.replacing("{region}", with: region)
        return AWSProof.signed(
            url, region: region, accessKey: keys.accessKey, secretKey: keys.secretKey, sessionToken: keys.sessionToken,
            audience: audience, at: Date())
    }

    private func sessionHeaders(_ subject: AWSSubject) async throws -> HTTPHeaders {
        guard let url = subject.sessionTokenURL else { return [:] }
        let token = try await text(
            url,
            RESTRequest(
                .put, RequestPath(encoded: ""), headers: ["X-aws-ec2-metadata-token-ttl-seconds": "300"],
                deadlines: Self.deadlines, operation: "Reading the metadata server of AWS"))
        return ["X-aws-ec2-metadata-token": token]
    }

    private func read(_ url: String, _ headers: HTTPHeaders) async throws -> String {
        try await text(
            url,
            RESTRequest(
                .get, RequestPath(encoded: ""), headers: headers, deadlines: Self.deadlines,
                operation: "Reading the metadata server of AWS"))
    }

    private func region(_ subject: AWSSubject, _ session: HTTPHeaders) async throws -> String {
        if let region = surroundings.variable("AWS_REGION") ?? surroundings.variable("AWS_DEFAULT_REGION") {
            return region
        }
        guard let url = subject.regionURL else { throw failure("no region of AWS is known; set AWS_REGION") }
        // The metadata server names the zone, which is the region with a letter.
        let zone = try await read(url, session)
        return String(zone.last?.isLetter == true ? zone.dropLast() : zone[...])
    }

    private func keys(_ subject: AWSSubject, _ session: HTTPHeaders) async throws -> Keys {
        if let access = surroundings.variable("AWS_ACCESS_KEY_ID"),
            let secret = surroundings.variable("AWS_SECRET_ACCESS_KEY")
        {
            return Keys(
                accessKey: access, secretKey: secret, sessionToken: surroundings.variable("AWS_SESSION_TOKEN"))
        }
        guard let url = subject.credentialsURL else {
            throw failure("no credentials of AWS are known; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
        }
        let role = try await read(url, session).split(whereSeparator: \.isWhitespace).first ?? ""
        let json = (try? JSONValue(parsing: Array(try await read("\(url)/\(role)", session).utf8))) ?? .null
        guard let access = json["AccessKeyId"]?.stringValue, let secret = json["SecretAccessKey"]?.stringValue else {
            throw failure("the metadata server of AWS has no credentials of a role")
        }
        return Keys(accessKey: access, secretKey: secret, sessionToken: json["Token"]?.stringValue)
    }
}

/// A signed request `GetCallerIdentity`.
package enum AWSProof {
    /// The signed request in the form that the token service expects: percent-encoded JSON.
    package static func signed(
        _ url: String, region: String, accessKey: String, secretKey: String, sessionToken: String?, audience: String,
        at date: Date
    ) -> String {
        let time = timestamp(date)
        let day = String(time.prefix(8))
        let rest = url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false).last ?? ""
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let host = String(parts.first?.split(separator: "/").first ?? "")
        let query = parts.count == 2 ? parts[1].split(separator: "&").sorted().joined(separator: "&") : ""
        var headers = [("host", host), ("x-amz-date", time)]
        if let sessionToken { headers.append(("x-amz-security-token", sessionToken)) }
        headers.append(("x-goog-cloud-target-resource", audience))
        let names = headers.map(\.0).joined(separator: ";")
        let canonical =
            "POST\n/\n\(query)\n" + headers.map { "\($0.0):\($0.1)\n" }.joined() + "\n\(names)\n"
            + hexadecimal(SHA256.hash(data: [UInt8]()))
        let scope = "\(day)/\(region)/sts/aws4_request"
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n" + hexadecimal(SHA256.hash(data: Array(canonical.utf8)))
        var key = Array("AWS4\(secretKey)".utf8)
        for part in [day, region, "sts", "aws4_request", text] {
            key = Array(HMAC<SHA256>.authenticationCode(for: Array(part.utf8), using: SymmetricKey(data: key)))
        }
        let authorization =
            "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope), SignedHeaders=\(names), Signature=\(hexadecimal(key))"
        headers.append(("Authorization", authorization))
        let json: JSONValue = [
            "url": .string(url), "method": "POST",
            "headers": .array(headers.map { ["key": .string($0.0), "value": .string($0.1)] }),
        ]
        return PercentEncoding.encodeInQuery(json.serialized())
    }

    private static func timestamp(_ date: Date) -> String {
        let text = Timestamp(date).apiFormat.prefix(19)
        return text.filter { $0 != "-" && $0 != ":" } + "Z"
    }
}
