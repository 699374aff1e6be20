internal import Crypto
internal import FoundationEssentials
internal import HTTPTransport
internal import Notation
internal import PrefectJSON
internal import PrefectREST

/// Signature Version 4 of AWS in its header form, as a value without a clock.
struct SignatureV4: Sendable {
    let credentials: AWSCredentials
    let region: String
    /// The name of the service in the scope of the signature, such as `ecs`.
    let service: String
    /// The time of the request, in the form `20150830T123600Z`.
    let time: String

    private var day: Substring { time.prefix(8) }
    private var scope: String { "\(day)/\(region)/\(service)/aws4_request" }

    /// The value of `Authorization` for a request with these headers. All of them are signed.
    ///
    /// - Parameters:
    ///   - path: The path as it is sent, percent-encoded once.
    ///   - query: The names and values of the query, not encoded.
    func authorization(
        method: String, path: String, query: [(name: String, value: String)],
        headers: [(name: String, value: String)], body: [UInt8]
    ) -> String {
        let signed = Self.canonical(headers)
        let names = signed.map(\.name).joined(separator: ";")
        let request = [
            method, Self.canonical(path: path), Self.canonical(query: query),
            signed.map { "\($0.name):\($0.value)\n" }.joined(), names, hexadecimal(SHA256.hash(data: body)),
        ].joined(separator: "\n")
        let text = "AWS4-HMAC-SHA256\n\(time)\n\(scope)\n\(hexadecimal(SHA256.hash(data: Array(request.utf8))))"
        let signature = hexadecimal(Self.code(text, key: signingKey))
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), SignedHeaders=\(names), "
            + "Signature=\(signature)"
    }

    /// The key of one day, region and service.
    var signingKey: [UInt8] {
        [String(day), region, service, "aws4_request"].reduce(Array("AWS4\(credentials.secretAccessKey)".utf8)) {
            Self.code($1, key: $0)
        }
    }

    private static func code(_ text: String, key: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key)))
    }

    /// The headers in the order of their names. Values of one name are joined, and blanks in a row count as one.
    private static func canonical(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
        var values: [String: [String]] = [:]
        for (name, value) in headers {
            values[name.lowercased(), default: []].append(value.split(separator: " ").joined(separator: " "))
        }
        return values.keys.sorted().map { (name: $0, value: values[$0, default: []].joined(separator: ",")) }
    }

    /// Every service except S3 signs the path encoded a second time.
    private static func canonical(path: String) -> String {
        path.isEmpty ? "/" : PercentEncoding.encode(path, keeping: "/")
    }

    private static func canonical(query: [(name: String, value: String)]) -> String {
        query.map { (PercentEncoding.encodeInQuery($0.name), PercentEncoding.encodeInQuery($0.value)) }
            .sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }
}
