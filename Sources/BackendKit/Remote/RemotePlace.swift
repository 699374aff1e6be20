internal import Logging
internal import PrefectConcurrency

/// The tasks of one place as the source of a watch.
struct RemoteSource<Client: RemoteTaskClient>: TaskSource {
    typealias Event = Never

    let client: Client
    /// Why the place gives no answer at the moment, if so.
    let availability: InfrastructureAvailability

    func describe(_ tasks: [String]) async throws -> [String: Client.Status] {
        try await noting { try await client.describe(tasks) }
    }

    func hasEnded(_ status: Client.Status) -> Bool { client.end(of: status) != nil }

    func followEvents(for watch: TaskWatch<Self>) async { await client.followChanges { watch.changed($0) } }

    /// Runs a request, and records whether the place answers.
    func noting<Result: Sendable>(_ request: () async throws -> Result) async throws -> Result {
        do {
            let result = try await request()
            availability.note(nil)
            return result
        } catch let error as RemoteTaskError {
            if case .unavailable = error.kind {
                availability.note("\(client.name) is unavailable: \(error.message)")
            } else {
                availability.note(nil)
            }
            throw error
        }
    }
}

/// One place of a service: its client and the watch of its tasks.
final class RemotePlace<Client: RemoteTaskClient>: Sendable {
    let client: Client
    let watch: TaskWatch<RemoteSource<Client>>

    init(_ client: Client, logger: Logger) {
        self.client = client
        let availability = InfrastructureAvailability(end: "\(client.name) is available again", logger: logger)
        watch = TaskWatch(RemoteSource(client: client, availability: availability), Client.watchPolicy)
    }

    var availability: InfrastructureAvailability { watch.source.availability }

    /// Sends a request that changes nothing when it is repeated, until the place answers it.
    func persistently<Result: Sendable>(_ request: () async throws -> Result) async throws -> Result {
        try await retrying {
            try await watch.source.noting(request)
        } pause: { (error: RemoteTaskError, failures) in
            guard case .unavailable = error.kind else { throw error }
            return pause(after: error, failures)
        }
    }

    /// The time before a request is repeated.
    func pause(after error: RemoteTaskError, _ failures: Int) -> Duration {
        let backoff =
            error.kind == .full
            ? Backoff(from: .seconds(5), to: .seconds(300)) : Backoff(from: .seconds(1), to: .seconds(30))
        let pause = backoff.pause(afterFailures: failures) * .random(in: 0.75...1.25)
        return max(pause, error.retryAfter ?? .zero)
    }
}
