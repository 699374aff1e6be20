internal import BackendKit
internal import HTTPTransport
internal import Hashing
internal import JobTemplates
internal import PrefectJSON

/// The location of a run's job. The API stores it in `infrastructure_pid` as `namespace:name`. The other members let
/// the worker confirm that the job is the same.
struct JobReference: Sendable, Hashable {
    let namespace: String
    let name: String
    /// The job's uid; `nil` for a job that another worker has started.
    let uid: String?
    /// The API server of the job; `nil` for a job that another worker has started.
    let server: String?

    init(namespace: String, name: String, uid: String?, server: String?) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.server = server
    }

    /// Reads an identifier. Throws when the identifier is not that of a Kubernetes job.
    init(_ identifier: InfrastructureIdentifier) throws(InfrastructureError) {
        let parts = identifier.rawValue.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw InfrastructureError(
                .notReachable, "'\(identifier)' is not the identifier of a Kubernetes job, which is 'namespace:name'")
        }
        self.init(
            namespace: String(parts[0]), name: String(parts[1]), uid: identifier.handle["uid"]?.stringValue,
            server: identifier.handle["server"]?.stringValue)
    }

    var identifier: InfrastructureIdentifier {
        InfrastructureIdentifier(
            rawValue: "\(namespace):\(name)", handle: ["uid": JSONValue(uid), "server": JSONValue(server)])
    }
}

/// The names of jobs. The worker names a job, not the API server, and the same attempt at a run always gets the same
/// name. So a creation that is repeated after a lost answer finds the existing job.
enum JobName {
    /// The suffix of the job's name for a claim.
    static func suffix(claimID: String) -> String {
        // Kubernetes uses these letters in the names that it generates, because they spell no words.
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        return String(SHA1.digest(Array(claimID.utf8)).prefix(length).map { letters[Int($0) % letters.count] })
    }

    private static let length = 10
    /// The longest name of a job. Pods have it as a label, and add five letters for their own names.
    private static let longest = 63

    /// The name of the job for a claim: the manifest's own name, or else the prefix with the claim's suffix.
    static func name(in manifest: JSONValue, claimID: String) -> String {
        if let name = manifest["metadata"]?["name"]?.stringValue, !name.isEmpty { return name }
        return String(prefix(in: manifest).prefix(longest - length)) + suffix(claimID: claimID)
    }

    /// The beginning of the name in a form that the cluster accepts; a user's own prefix may be invalid.
    static func prefix(in manifest: JSONValue) -> String {
        let prefix = manifest["metadata"]?["generateName"]?.stringValue ?? "prefect-job-"
        return isName(prefix) ? prefix : "\(Slug.kubernetesName(prefix) ?? "prefect-job")-"
    }

    /// Whether a name can begin with this text: lower-case letters, digits, hyphens, and single points between them.
    private static func isName(_ prefix: String) -> Bool {
        let parts = prefix.split(separator: ".", omittingEmptySubsequences: false)
        return parts.allSatisfy { $0.first != nil && $0.first != "-" } && parts.dropLast().allSatisfy { $0.last != "-" }
            && prefix.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-" || $0 == ".") }
    }
}
