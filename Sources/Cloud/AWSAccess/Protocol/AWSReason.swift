internal import HTTPTransport
internal import PrefectJSON
package import PrefectREST

/// Reads the reasons of services.
enum AWSReason {
    /// The codes with which services ask to wait. The request was not carried out.
    static let throttling: Set<String> = [
        "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException", "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled",
        "RequestThrottledException", "SlowDown", "ThrottledException", "Throttling", "ThrottlingException",
        "TooManyRequestsException", "TransactionInProgressException",
    ]

    /// The codes for faults of the service itself.
    private static let faults: Set<String> = [
        "InternalError", "InternalFailure", "InternalServerError", "ServerException", "ServiceUnavailable",
        "ServiceUnavailableException", "Unavailable",
    ]

    /// The codes for keys that have expired.
    static let expired: Set<String> = ["ExpiredToken", "ExpiredTokenException", "RequestExpired"]

    /// The codes for keys that are not accepted.
    static let unknownKeys: Set<String> = [
        "AuthFailure", "IncompleteSignature", "InvalidClientTokenId", "InvalidSignatureException",
        "MissingAuthenticationToken", "SignatureDoesNotMatch", "UnrecognizedClientException",
    ]

    /// The codes for a missing permission.
    static let denials: Set<String> = [
        "AccessDenied", "AccessDeniedException", "NotAuthorized", "UnauthorizedAccess", "UnauthorizedOperation",
    ]

    /// The reason in an answer in JSON or XML.
    static func read(_ answer: RESTAnswer) -> ServiceReason {
        var code = answer.head.headers["x-amzn-ErrorType"].map { $0.prefix { $0 != ":" && $0 != "," } } ?? ""
        var message: String?
        if let json = try? JSONValue(parsing: answer.body) {
            let named = json["__type"]?.stringValue ?? json["code"]?.stringValue ?? json["error"]?.stringValue
            if let named { code = named[...] }
            message =
                json["message"]?.stringValue ?? json["Message"]?.stringValue ?? json["error_description"]?.stringValue
        } else if let error = XMLElement(parsing: answer.body)?.first("Error") {
            code = (error["Code"]?.text ?? "")[...]
            message = error["Message"]?.text
        }
        if let mark = code.lastIndex(of: "#") { code = code[code.index(after: mark)...] }
        var reason = ServiceReason(text: message.flatMap { $0.isEmpty ? nil : $0 }, of: answer)
        reason.code = String(code)
        if isThrottling(reason) || faults.contains(reason.code) { reason.isTransient = true }
        return reason
    }

    /// Whether a reason asks to wait. Registrations of one family that overlap are refused with an ordinary code.
    static func isThrottling(_ reason: ServiceReason) -> Bool {
        throttling.contains(reason.code) && !reason.message.contains("reached the limit")
            || reason.message.contains("Too many concurrent attempts") || reason.message.contains("Rate exceeded")
    }
}

extension RequestFailure {
    /// Whether the service asks to wait.
    package var isThrottling: Bool { AWSReason.isThrottling(reason) }

    /// Whether the keys have expired.
    package var hasExpiredKeys: Bool { AWSReason.expired.contains(reason.code) }

    /// Whether the service does not accept the keys or their signature.
    package var hasUnknownKeys: Bool { AWSReason.unknownKeys.contains(reason.code) }

    /// Whether a permission is missing.
    package var isDenied: Bool { AWSReason.denials.contains(reason.code) }
}
