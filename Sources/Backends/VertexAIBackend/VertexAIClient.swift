public import BackendKit
internal import GoogleAccess
internal import OrderedCollections
internal import PrefectREST
internal import Synchronization

/// The custom jobs of one project and region of Vertex AI.
public struct VertexAIClient: RemoteTaskClient {
    /// The specification of a job.
    public typealias Specification = VertexAISpecification

    /// The state of a job as the service describes it.
    public struct Status: Sendable, Equatable {
        /// Such as `JOB_STATE_RUNNING`.
        let state: String
        /// The reason of a failure.
        let message: String

        init(_ json: JSONValue) {
            state = json["state"]?.stringValue ?? ""
            message = json["error"]?["message"]?.stringValue ?? ""
        }
    }

    /// One list describes all jobs that have not ended.
    public static var watchPolicy: WatchPolicy {
        WatchPolicy(
            spacing: .seconds(5), absences: 3, absencePause: .seconds(3), interval: WatchPolicy.polling)
    }

    /// The claims for which the answer to a creation was lost.
    final class Uncertain: Sendable {
        let claims = Mutex<Set<String>>([])
    }

    let place: VertexAIPlace
    let google: GoogleClient
    private let uncertain = Uncertain()

    init(_ place: VertexAIPlace, _ tokens: GoogleTokens) {
        self.place = place
        google = GoogleClient(tokens)
    }

    /// The region, project and identity.
    public var name: String {
        let project = place.credentials.project.map { "project '\($0)'" } ?? "the worker's own project"
        return "Vertex AI in \(place.region) of \(project) as \(place.credentials.identity)"
    }

    private func requests(region: String? = nil) async throws -> VertexAIRequests {
        VertexAIRequests(
            project: try await google.tokens.project(), region: region ?? place.region,
            universe: place.credentials.universe, environment: google.environment)
    }

    /// The page of Google's console that shows the job.
    public func consoleURL(of task: String) -> String? {
        guard let name = VertexAIJobName(task), let project = google.tokens.knownProject else { return nil }
        let path: RequestPath = "/vertex-ai/locations/\(name.region)/training/\(name.id)"
        return "https://console.cloud.google.com\(path.encoded)?project=\(PercentEncoding.encodeInQuery(project))"
    }

    // MARK: Creation

    /// Creates the job. A repetition would create another one, so a lost answer is looked up by ``find(_:)``.
    public func create(_ specification: VertexAISpecification, for key: RemoteTaskKey) async throws -> String {
        let requests = try await requests()
        var body = specification.body
        let labels = (body["labels"]?.objectValue ?? [:]).compactMapValues(\.stringValue)
        body["labels"] = JSONValue(GoogleLabels.marked(labels, owner: key.owner, claim: key.claimID))
        if body["jobSpec"]?["serviceAccount"] == nil, let account = try await google.tokens.serviceAccount() {
            var spec = body["jobSpec"] ?? [:]
            spec["serviceAccount"] = .string(account)
            body["jobSpec"] = spec
        }
        let json: JSONValue
        do {
            json = try await google.json(requests.create(body), isCreation: true)
        } catch let error as RemoteTaskError where error.kind == .unavailable(isUnapplied: false) {
            uncertain.claims.withLock { _ = $0.insert(key.claimID) }
            throw error
        } catch let error as RemoteTaskError where error.kind == .notFound {
            throw RemoteTaskError(
                .refused,
                "\(error.message). Check that project '\(requests.project)' and region '\(place.region)' exist and that "
                    + "the Vertex AI API is enabled")
        }
        guard let name = json["name"]?.stringValue, VertexAIJobName(name) != nil else {
            throw RemoteTaskError(.unavailable(isUnapplied: false), "The answer to the creation of a job has no name")
        }
        return name
    }

    /// The job with the label of a claim. After a lost answer it is looked up twice, since a list may lack a new job.
    public func find(_ key: RemoteTaskKey) async throws -> String? {
        if let found = try await job(of: key) { return found }
        guard uncertain.claims.withLock({ $0.remove(key.claimID) }) != nil else { return nil }
        try await Task.sleep(for: .seconds(3))
        return try await job(of: key)
    }

    private func job(of key: RemoteTaskKey) async throws -> String? {
        let value = GoogleLabels.value(key.claimID)
        let jobs = try await google.list(
            try await requests().jobs("labels.\(GoogleLabels.claim)=\"\(value)\""), items: "customJobs")
        return jobs.first { $0["labels"]?[GoogleLabels.claim]?.stringValue == value }?["name"]?.stringValue
    }

    // MARK: Watching

    private static let fewJobs = 2
    private static let pagePause = Duration.seconds(5)
    private static let finalStates = [
        "JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED", "JOB_STATE_EXPIRED",
        "JOB_STATE_PARTIALLY_SUCCEEDED",
    ]

    /// Describes jobs: a few one by one, many by a list of those that have not ended.
    public func describe(_ tasks: [String]) async throws -> [String: Status] {
        try await GoogleReason.watching {
            var found: [String: Status] = [:]
            if tasks.count > Self.fewJobs {
                let active = Self.finalStates.map { "state!=\"\($0)\"" }.joined(separator: " AND ")
                let wanted = Set(tasks)
                do {
                    for json in try await google.list(
                        try await requests().jobs(active), items: "customJobs", pause: Self.pagePause)
                    {
                        if let name = json["name"]?.stringValue, wanted.contains(name) { found[name] = Status(json) }
                    }
                } catch let error as RemoteTaskError where error.kind == .refused {
                    // Without the permission to list, each job is read by itself.
                }
            }
            for task in tasks where found[task] == nil {
                do {
                    let name = try jobName(task)
                    found[task] = Status(try await google.json(try await requests(region: name.region).job(name)))
                } catch let error as RemoteTaskError where error.kind == .notFound {}
            }
            return found
        }
    }

    private func jobName(_ task: String) throws -> VertexAIJobName {
        guard let name = VertexAIJobName(task) else {
            throw RemoteTaskError(.notFound, "'\(task)' is no name of a custom job")
        }
        return name
    }

    /// How a job ended.
    public func end(of status: Status) -> ExitStatus? {
        let reason = status.message.isEmpty || status.message.contains("CANCELED") ? nil : status.message
        switch status.state {
        case "JOB_STATE_SUCCEEDED": return ExitStatus(code: 0)
        case "JOB_STATE_FAILED", "JOB_STATE_PARTIALLY_SUCCEEDED":
            return Self.failure(reason ?? "The job failed")
        case "JOB_STATE_EXPIRED":
            return ExitStatus(code: 1, reason: "The job expired before it began\(reason.map { ": \($0)" } ?? "")")
        case "JOB_STATE_CANCELLED":
            let timeout = reason?.lowercased().contains("timeout") == true
            return ExitStatus(
                code: 1,
                reason: (reason ?? "The job was cancelled")
                    + (timeout ? " Raise the job variable 'maximum_run_time_hours'." : ""))
        default: return nil
        }
    }

    private static func failure(_ message: String) -> ExitStatus {
        let lower = message.lowercased()
        guard lower.contains("out-of-memory") || lower.contains("out of memory") else {
            return ExitStatus(code: code(in: message) ?? 1, reason: message)
        }
        let separator = message.hasSuffix(".") ? "" : "."
        return ExitStatus(
            code: code(in: message) ?? 137,
            reason: "\(message)\(separator) Choose a greater machine in the job variable 'machine_type'.")
    }

    /// The exit code that a message states: `… exited with a non-zero status of 7.` A signal counts 128 more, as in a
    /// shell: `… exited with a non-zero status of 9(SIGKILL)`.
    static func code(in message: String) -> Int? {
        for words in ["non-zero status of ", "exit code ", "exit status "] {
            guard let end = message.firstRange(of: words)?.upperBound else { continue }
            let digits = message[end...].prefix { $0.isASCII && $0.isNumber }
            guard let code = Int(digits), (1...255).contains(code) else { continue }
            let isSignal = message[digits.endIndex...].hasPrefix("(SIG") && code <= 64
            return isSignal ? 128 + code : code
        }
        return nil
    }

    /// Why a job has not begun.
    public func reasonForWaiting(_ status: Status) -> String? {
        switch status.state {
        case "JOB_STATE_QUEUED": "Vertex AI has queued the job"
        case "JOB_STATE_PENDING": "Vertex AI prepares the machines of the job"
        default: nil
        }
    }

    // MARK: Stopping

    /// Cancels the job, as the Python worker does.
    public func stop(_ task: String, grace: Duration, reason: StopReason) async throws {
        let name = try jobName(task)
        _ = try await google.json(try await requests(region: name.region).cancel(name))
    }

    /// Keeps the job: see ``VertexAISpecification/isKept``.
    public func delete(_ task: String) async throws -> Bool { true }

    /// The number of jobs of workers that have not ended. Listing them also checks the region.
    func jobsOfWorkers() async -> BackendReport.Finding {
        do {
            let jobs = try await google.list(
                try await requests().jobs("labels.\(GoogleLabels.owner):*"), items: "customJobs"
            ).filter { $0["labels"]?[GoogleLabels.owner] != nil }
            let active = jobs.filter { end(of: Status($0)) == nil }.count
            return .init(
                subject: "jobs of workers",
                detail: "\(jobs.count) in \(place.region), of which \(active) have not ended",
                isGood: true)
        } catch {
            return .init(subject: "region", detail: "\(place.region): \(error)", isGood: false, isPartial: true)
        }
    }
}
