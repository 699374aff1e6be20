public import BackendKit
internal import GoogleAccess
internal import OrderedCollections
internal import PrefectREST

extension CloudRunClient {
    /// Creates the job, waits until it can be run, and runs it once. A job that an earlier attempt created is continued.
    public func create(_ specification: CloudRunSpecification, for key: RemoteTaskKey) async throws -> String {
        let name = specification.jobName
        guard GoogleNames.isAccepted(name) else {
            throw RemoteTaskError(
                .refused,
                "Cloud Run refuses the job name '\(name.prefix(80))', which should have 1 to 63 lower-case letters, digits "
                    + "and hyphens and begin with a letter: correct the job variable 'name', or leave it empty")
        }
        let requests = try await requests()
        try await createJob(specification, key, requests)
        do {
            try await run(name, requests)
        } catch let error as RemoteTaskError where error.kind == .refused || error.kind == .notFound {
            if !specification.isKept { _ = try? await google.json(requests.delete(name)) }
            throw error
        }
        return name
    }

    private func createJob(
        _ specification: CloudRunSpecification, _ key: RemoteTaskKey, _ requests: CloudRunRequests
    ) async throws {
        let name = specification.jobName
        let body = marked(specification, key)
        do {
            _ = try await google.perform(requests.create(body, name: name))
        } catch let failure as RequestFailure where failure.isConflict {
            // An earlier attempt whose answer was lost, or the job of another run.
            guard let job = try await job(name, requests) else {
                throw RemoteTaskError(.unavailable(isUnapplied: true), failure.description)
            }
            guard job.belongs(toClaim: key.claimID) else {
                throw RemoteTaskError(
                    .refused,
                    "A job '\(name)' exists already in \(self.name) and belongs to another run: leave the job variable "
                        + "'name' empty, so that each run has a job of its own")
            }
        } catch let failure as RequestFailure {
            let error = GoogleReason.error(failure, identity: google.identity, isCreation: true)
            guard error.kind == .notFound else { throw error }
            throw RemoteTaskError(
                .refused,
                "\(error.message). Check that project '\(requests.project)' and region '\(requests.region)' exist")
        }
    }

    /// The job with the marks of the worker. A job that is kept has no owner, so that no sweep deletes it.
    private func marked(_ specification: CloudRunSpecification, _ key: RemoteTaskKey) -> JSONValue {
        var body = specification.body
        let path = version == .v1 ? ["metadata", "labels"] : ["labels"]
        CloudRunBody.change(&body, path[...]) { labels in
            let existing = (labels.objectValue ?? [:]).compactMapValues(\.stringValue)
            labels = JSONValue(
                GoogleLabels.marked(existing, owner: specification.isKept ? nil : key.owner, claim: key.claimID))
        }
        return body
    }

    /// Runs a job, unless it has been run.
    private func run(_ name: String, _ requests: CloudRunRequests) async throws {
        var pause = Duration.milliseconds(500)
        while true {
            guard let job = try await job(name, requests) else {
                throw RemoteTaskError(
                    .unavailable(isUnapplied: true), "The job '\(name)' was deleted before it was run")
            }
            if job.execution != nil { return }
            switch job.readiness {
            case .failed(let reason, let message):
                throw RemoteTaskError(.refused, Self.explanation(name, reason, message))
            case .waiting:
                try await Task.sleep(for: pause)
                pause = min(pause * 2, .seconds(5))
            case .ready:
                do {
                    _ = try await google.perform(requests.run(name))
                    return
                } catch let failure as RequestFailure {
                    let error = GoogleReason.error(failure, identity: google.identity, isCreation: true)
                    guard failure.isConflict || error.isPrecondition else { throw error }
                    throw RemoteTaskError(.unavailable(isUnapplied: true), error.message)
                }
            }
        }
    }

    private static func explanation(_ name: String, _ reason: String, _ message: String) -> String {
        let text = message.isEmpty ? reason : message
        let isImage = reason == "ContainerMissing" || reason == "CONTAINER_MISSING"
        let remedy =
            isImage
            ? "Correct the job variable 'image', or let Cloud Run's service agent read the image" : "Correct the job"
        let separator = text.hasSuffix(".") ? "" : "."
        return "Cloud Run cannot prepare the job '\(name)' (\(reason)): \(text)\(separator) \(remedy)"
    }

    /// The job of a run, by its name; see ``find(_:)``.
    public func find(_ specification: CloudRunSpecification, for key: RemoteTaskKey) async throws -> String? {
        guard !specification.jobName.isEmpty else { return try await find(key) }
        let requests = try await requests()
        guard let job = try await job(specification.jobName, requests), job.belongs(toClaim: key.claimID) else {
            return nil
        }
        return try await settled(job, key, requests)
    }

    /// The job of a key that has been run; `nil` for one that was created and not run, which ``create(_:for:)``
    /// continues. A job whose creation was cancelled is deleted, so that it can never run.
    public func find(_ key: RemoteTaskKey) async throws -> String? {
        let requests = try await requests()
        let jobs = try await jobs(
            requests.jobs(label: GoogleLabels.claim, value: GoogleLabels.value(key.claimID)))
        guard let own = jobs.first(where: { $0.belongs(toClaim: key.claimID) }) else { return nil }
        return try await settled(own, key, requests)
    }

    private func settled(_ job: JobState, _ key: RemoteTaskKey, _ requests: CloudRunRequests) async throws -> String? {
        if job.execution != nil { return job.name }
        guard key.isAbandoned else { return nil }
        do {
            _ = try await google.json(requests.delete(job.name))
        } catch let error as RemoteTaskError where error.kind == .notFound {}
        return nil
    }
}
