internal import HTTPTransport
internal import JSON
internal import JobTemplates
internal import Worker

/// Where a run's job is: what the API stores as `infrastructure_pid`, `namespace:name`, and what else the worker needs to
/// be sure that it is the same.
struct JobPlace: Sendable, Hashable {
    let namespace: String
    let name: String
    /// The job's uid; `nil` for one that another worker has started.
    let uid: String?
    /// The API server that it is at; `nil` for one that another worker has started.
    let server: String?

    init(namespace: String, name: String, uid: String?, server: String?) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.server = server
    }

    /// Reads an identifier; throws when it is none of a Kubernetes job.
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

/// The names of jobs. A job is named by the worker and not by the API server, and the same attempt at a run always gets the
/// same name: a creation that is repeated, because its answer was lost, meets the job that is there.
enum JobName {
    /// The end of the name of the job of a claim.
    static func suffix(claimID: String) -> String {
        // The letters of Kubernetes' own generated names, which spell no words.
        let letters = Array("bcdfghjklmnpqrstvwxz2456789")
        return String(SHA1.digest(Array(claimID.utf8)).prefix(length).map { letters[Int($0) % letters.count] })
    }

    private static let length = 10
    /// Pods get their job's name as a label, and five letters more as their own name.
    private static let longest = 63

    /// The name of the job of a claim: as the manifest has it, or else what it is to begin with and the claim's own end.
    static func name(in manifest: JSONValue, claimID: String) -> String {
        if let name = manifest["metadata"]?["name"]?.stringValue, !name.isEmpty { return name }
        return String(prefix(in: manifest).prefix(longest - length)) + suffix(claimID: claimID)
    }

    /// The beginning of the name as the cluster takes it: a name of the user's own may be none.
    static func prefix(in manifest: JSONValue) -> String {
        let prefix = manifest["metadata"]?["generateName"]?.stringValue ?? "prefect-job-"
        return isName(prefix) ? prefix : "\(Slug.kubernetesName(prefix) ?? "prefect-job")-"
    }

    /// Whether a name can begin like this: with lower case letters, digits, hyphens and single points between them.
    private static func isName(_ prefix: String) -> Bool {
        let parts = prefix.split(separator: ".", omittingEmptySubsequences: false)
        return parts.allSatisfy { $0.first != nil && $0.first != "-" } && parts.dropLast().allSatisfy { $0.last != "-" }
            && prefix.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-" || $0 == ".") }
    }
}
