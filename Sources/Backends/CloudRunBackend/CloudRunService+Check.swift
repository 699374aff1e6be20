public import BackendKit
internal import GoogleAccess
internal import OrderedCollections

/// The permissions that the worker uses.
private let permissions = [
    "run.jobs.create", "run.jobs.delete", "run.jobs.get", "run.jobs.list", "run.jobs.run", "run.executions.get",
    "run.executions.list", "run.executions.delete", "run.operations.get",
]

extension CloudRunService {
    /// Checks the identity, the permissions and the leftovers of the worker. Creates nothing.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        let check = GoogleCheck(surroundings: surroundings, host: host, defaultRegion: "us-central1")
        return await check.report(
            pools, fields: ["region", "credentials", "job_body"], permissions: permissions
        ) { place in
            let client = CloudRunClient(
                CloudRunPlace(version: version, credentials: place.credentials, region: place.region), place.tokens)
            let account = CloudRunBody.serviceAccount(place.fields["job_body"] ?? .null, version)
            let usual = BackendReport.Finding(
                subject: "jobs run as",
                detail: "the default service account of Compute Engine; the job variable 'service_account_name' names "
                    + "another", isGood: true)
            let runsAs = if let account { await check.actAs(account, place.tokens) } else { usual }
            return [runsAs, await client.leftovers()]
        }
    }
}

extension CloudRunBody {
    /// The service account under which a job's container runs.
    static func serviceAccount(_ body: JSONValue, _ version: CloudRunVersion) -> String? {
        let path =
            version == .v1
            ? ["spec", "template", "spec", "template", "spec", "serviceAccountName"]
            : ["template", "template", "serviceAccount"]
        return path.reduce(body) { $0[$1] ?? .null }.stringValue
    }
}

extension CloudRunClient {
    /// The number of jobs of workers that have ended and are still there. Listing them also checks the region.
    func leftovers() async -> BackendReport.Finding {
        do {
            let requests = try await requests()
            let jobs = try await jobs(requests.jobs(label: GoogleLabels.owner))
                .filter { $0.labels[GoogleLabels.owner] != nil }
            let ended = jobs.filter { $0.execution == nil || $0.hasEnded }.count
            return .init(
                subject: "jobs of workers",
                detail: "\(jobs.count) in \(place.region), of which \(ended) do not run; a region holds 1000 jobs",
                isGood: true)
        } catch {
            return .init(subject: "region", detail: "\(place.region): \(error)", isGood: false, isPartial: true)
        }
    }
}
