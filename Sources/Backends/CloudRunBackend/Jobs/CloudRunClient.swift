public import BackendKit
internal import GoogleAccess
internal import OrderedCollections
internal import PrefectREST

/// The jobs of one project and region of Cloud Run.
public struct CloudRunClient: RemoteTaskClient {
    /// The specification of a job.
    public typealias Specification = CloudRunSpecification

    /// The state of a job.
    public enum Status: Sendable, Equatable {
        /// Its execution waits for machines.
        case waiting
        /// The job exists, and no execution has ended.
        case running
        /// Its execution has ended.
        case ended(ExitStatus)
    }

    /// One list describes any number of jobs.
    public static var watchPolicy: WatchPolicy {
        WatchPolicy(
            spacing: .seconds(5), absences: 2, absencePause: .seconds(1), interval: WatchPolicy.polling)
    }

    let place: CloudRunPlace
    let google: GoogleClient

    init(_ place: CloudRunPlace, _ tokens: GoogleTokens) {
        self.place = place
        google = GoogleClient(tokens)
    }

    var version: CloudRunVersion { place.version }

    /// The region, project and identity.
    public var name: String {
        let project = place.credentials.project.map { "project '\($0)'" } ?? "the worker's own project"
        return "Cloud Run in \(place.region) of \(project) as \(place.credentials.identity)"
    }

    func requests() async throws -> CloudRunRequests {
        CloudRunRequests(
            version: version, project: try await google.tokens.project(), region: place.region,
            universe: place.credentials.universe, environment: google.environment)
    }

    /// The page of Google's console that shows the job.
    public func consoleURL(of task: String) -> String? {
        google.tokens.knownProject.map { project in
            CloudRunRequests(
                version: version, project: project, region: place.region, universe: place.credentials.universe,
                environment: [:]
            ).console(task)
        }
    }

    // MARK: Watching

    /// The greatest number of jobs that are read one by one.
    private static let fewJobs = 2
    /// The time between two pages of a list.
    private static let pagePause = Duration.seconds(5)

    /// Describes jobs: a few one by one, many by a list.
    public func describe(_ tasks: [String]) async throws -> [String: Status] {
        try await GoogleReason.watching {
            let requests = try await requests()
            let listed = tasks.count > Self.fewJobs ? try await listed(requests) : [:]
            var found: [String: Status] = [:]
            for task in tasks {
                // A list may lack a job that was created meanwhile, so only a request for the job itself is evidence.
                let known = listed[task]
                guard let job = try await known == nil ? job(task, requests) : known else { continue }
                found[task] = try await status(of: job, requests)
            }
            return found
        }
    }

    /// All jobs of the region; none without the permission to list them.
    private func listed(_ requests: CloudRunRequests) async throws -> [String: JobState] {
        do {
            let jobs = try await jobs(requests.jobs(), pause: Self.pagePause)
            return Dictionary(jobs.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        } catch let error as RemoteTaskError where error.kind == .refused {
            return [:]
        }
    }

    func job(_ name: String, _ requests: CloudRunRequests) async throws -> JobState? {
        do {
            return JobState(try await google.json(requests.job(name)), version)
        } catch let error as RemoteTaskError where error.kind == .notFound {
            return nil
        }
    }

    private func status(of job: JobState, _ requests: CloudRunRequests) async throws -> Status? {
        guard let execution = job.execution, job.hasEnded else {
            return job.executionStatus == "EXECUTION_PENDING" ? .waiting : .running
        }
        if job.executionStatus == "EXECUTION_SUCCEEDED" { return .ended(ExitStatus(code: 0)) }
        do {
            let state = ExecutionState(try await google.json(requests.execution(execution, of: job.name)), version)
            guard state.hasEnded else { return .running }
            return .ended(state.exit(code: state.hasSucceeded ? 0 : await code(of: execution, of: job.name, requests)))
        } catch let error as RemoteTaskError where error.kind == .notFound {
            return nil
        }
    }

    /// The exit code of an execution's task. Its lack is no failure.
    private func code(of execution: String, of job: String, _ requests: CloudRunRequests) async -> Int? {
        guard let json = try? await google.json(requests.tasks(of: execution, of: job)) else { return nil }
        return ExecutionState.code(inTasks: json, version)
    }

    /// How an execution ended.
    public func end(of status: Status) -> ExitStatus? {
        if case .ended(let exit) = status { exit } else { nil }
    }

    /// Why an execution has not begun.
    public func reasonForWaiting(_ status: Status) -> String? {
        status == .waiting ? "Cloud Run provisions the machines of the job" : nil
    }

    // MARK: Stopping

    /// Deletes the job with its executions, as the Python worker does.
    public func stop(_ task: String, grace: Duration, reason: StopReason) async throws {
        let requests = try await requests()
        try await deleteExecutions(of: task, requests)
        do {
            _ = try await google.json(requests.delete(task))
        } catch let error as RemoteTaskError where error.kind != .notFound && version == .v2 {
            // The executions still end. Their deletion is what stops the run; the job is deleted later.
            guard error.isPrecondition else { throw error }
        }
    }

    private func deleteExecutions(of job: String, _ requests: CloudRunRequests) async throws {
        guard version == .v2 else { return }
        for json in try await google.list(requests.executions(of: job), items: "executions") {
            guard let name = json["name"]?.stringValue.map(JobState.last), !name.isEmpty else { continue }
            do {
                _ = try await google.json(requests.deleteExecution(name, of: job))
            } catch let error as RemoteTaskError where error.kind == .notFound {}
        }
    }

    /// Deletes the job with its executions. The service deletes it some time after its answer.
    public func delete(_ task: String) async throws -> Bool {
        let requests = try await requests()
        try await deleteExecutions(of: task, requests)
        do {
            _ = try await google.json(requests.delete(task))
        } catch let error as RemoteTaskError where error.isPrecondition {
            throw RemoteTaskError(.unavailable(isUnapplied: true), error.message)
        }
        return false
    }

    /// How long a job that was never run is kept for a creation that another process may continue.
    private static let grace = Duration.seconds(60)

    /// The jobs of a worker that have ended, and those that were never run and that no creation continues.
    public func orphans(of owner: String, creating claims: Set<String>) async throws -> [String] {
        let requests = try await requests()
        let mark = GoogleLabels.value(owner)
        let latest = Timestamp.now.adding(seconds: -(Self.grace / .seconds(1)))
        let creating = Set(claims.map(GoogleLabels.value))
        return try await jobs(requests.jobs(label: GoogleLabels.owner, value: mark)).filter { job in
            guard job.labels[GoogleLabels.owner] == mark else { return false }
            if job.execution != nil { return job.hasEnded }
            let isCreating = job.labels[GoogleLabels.claim].map { creating.contains($0) } ?? false
            return !isCreating && job.created.map { $0 < latest } ?? false
        }.map(\.name)
    }

    /// The jobs of a list.
    func jobs(_ request: GoogleRequest, pause: Duration = .zero) async throws -> [JobState] {
        try await google.list(request, items: version == .v1 ? "items" : "jobs", pause: pause)
            .compactMap { JobState($0, version) }
    }

    /// The job of an identifier: its name, or its full resource name.
    public func task(of identifier: InfrastructureIdentifier) throws -> String {
        JobState.last(identifier.rawValue)
    }
}

extension RemoteTaskError {
    /// Whether the resource is not in the state that the request needs.
    var isPrecondition: Bool { kind == .refused && message.contains("FAILED_PRECONDITION") }
}
