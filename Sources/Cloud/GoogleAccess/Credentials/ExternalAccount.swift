internal import BackendKit
internal import OrderedCollections
internal import PrefectJSON

/// An identity of another provider, whose token Google's token service exchanges.
package struct ExternalAccount: Sendable, Hashable {
    /// The origin of the subject token.
    package enum Subject: Sendable, Hashable {
        /// A file; with a field's name, it is JSON.
        case file(path: String, field: String?)
        /// An address that answers with the token.
        case url(String, headers: [String: String], field: String?)
        /// A program that prints the token.
        case program(command: String, limit: Duration, outputFile: String?)
        /// A signed request to AWS that proves the identity of a role.
        case aws(AWSSubject)
    }

    package let audience: String
    package let subjectTokenType: String
    package let tokenURL: String
    package let subject: Subject
    package let impersonation: Impersonation?
    package let clientID: String?
    package let clientSecret: String?
    /// The project to which a workforce identity belongs.
    package let workforcePoolUserProject: String?

    init(_ json: JSONValue, origin: String) throws(InfrastructureError) {
        func required(_ key: String) throws(InfrastructureError) -> String {
            guard let value = json[key]?.stringValue, !value.isEmpty else {
                throw credentialsError("The \(origin) has no '\(key)': create the configuration again with gcloud")
            }
            return value
        }
        audience = try required("audience")
        subjectTokenType = try required("subject_token_type")
        tokenURL = try required("token_url")
        impersonation = json["service_account_impersonation_url"]?.stringValue.map {
            Impersonation(
                url: $0, delegates: [],
                lifetime: json["service_account_impersonation"]?["token_lifetime_seconds"]?.intValue ?? 3600)
        }
        clientID = json["client_id"]?.stringValue
        clientSecret = json["client_secret"]?.stringValue
        workforcePoolUserProject = json["workforce_pool_user_project"]?.stringValue
        let source = json["credential_source"] ?? .null
        let isJSON = source["format"]?["type"]?.stringValue == "json"
        let field = isJSON ? source["format"]?["subject_token_field_name"]?.stringValue : nil
        if source["environment_id"]?.stringValue?.hasPrefix("aws") == true {
            subject = .aws(AWSSubject(source))
        } else if let path = source["file"]?.stringValue {
            subject = .file(path: path, field: field)
        } else if let url = source["url"]?.stringValue {
            let headers = (source["headers"]?.objectValue ?? [:]).compactMap { entry in
                entry.value.stringValue.map { (entry.key, $0) }
            }
            subject = .url(url, headers: Dictionary(headers, uniquingKeysWith: { $1 }), field: field)
        } else if let command = source["executable"]?["command"]?.stringValue {
            let limit = source["executable"]?["timeout_millis"]?.intValue ?? 30_000
            subject = .program(
                command: command, limit: .milliseconds(min(max(limit, 5_000), 120_000)),
                outputFile: source["executable"]?["output_file"]?.stringValue)
        } else {
            throw credentialsError(
                "The 'credential_source' of the \(origin) names no file, url, executable or AWS environment: create "
                    + "the configuration again with 'gcloud iam workload-identity-pools create-cred-config'")
        }
    }
}

/// The parts of a credential source that proves an identity of AWS.
package struct AWSSubject: Sendable, Hashable {
    package let regionURL: String?
    package let credentialsURL: String?
    package let sessionTokenURL: String?
    /// The address of `GetCallerIdentity`, with `{region}`.
    package let verificationURL: String

    init(_ source: JSONValue) {
        regionURL = source["region_url"]?.stringValue
        credentialsURL = source["url"]?.stringValue
        sessionTokenURL = source["imdsv2_session_token_url"]?.stringValue
        verificationURL =
            source["regional_cred_verification_url"]?.stringValue
            ?? "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"
    }
}
