public import JobTemplates
internal import Logging
internal import PrefectConcurrency
public import PrefectJSON
internal import Synchronization

/// The backend of a ``RemoteTaskService``. It watches all tasks of a place together, and creates each task once. It waits
/// for places that give no answer, and deletes the tasks that it created.
public final class RemoteTaskBackend<Service: RemoteTaskService>: Backend {
    typealias Client = Service.Client
    typealias Place = Service.Specification.Place

    /// The constant properties of the service.
    public static var traits: BackendTraits { Service.traits }

    /// The time between two attempts to delete a task.
    private static var deletionInterval: Duration { .seconds(30) }

    let service: Service
    let logger: Logger
    let owner: String
    let marks: OutputMarks
    let output: OutputPrinter
    let inUse = TasksInUse()
    let deletions: RemoteDeletions
    private let places = Mutex<[Place: RemotePlace<Client>]>([:])
    private let arrivals: AsyncStream<RemotePlace<Client>>
    private let arrive: AsyncStream<RemotePlace<Client>>.Continuation

    /// Makes the service for a worker, and its backend.
    public convenience init(host: BackendHost) throws {
        self.init(try Service(host: host), host: host)
    }

    /// A backend of a service.
    public init(_ service: Service, host: BackendHost) {
        self.service = service
        logger = host.logger
        let type = Service.traits.type
        owner = OwnerMark.take(in: host.stateDirectory, ofType: type)
        marks = OutputMarks(stateDirectory: host.stateDirectory, ofType: type)
        deletions = RemoteDeletions(stateDirectory: host.stateDirectory, ofType: type)
        output = OutputPrinter(sink: host.standardOutput)
        (arrivals, arrive) = AsyncStream.makeStream()
    }

    /// Makes the workload of a run with the specification that the service makes.
    public func workload(
        rendered: JSONValue, for run: RunContext, preparing context: PreparationContext?
    ) throws -> any Workload {
        RemoteWorkload(
            backend: self, run: run,
            specification: try service.specification(rendered: rendered, for: run, preparing: context))
    }

    /// The place of a task. It is watched from the first call on.
    func place(_ place: Place) throws -> RemotePlace<Client> {
        if let known = places.withLock({ $0[place] }) { return known }
        let fresh = RemotePlace(try service.client(at: place), logger: logger)
        return places.withLock { places in
            if let known = places[place] { return known }
            places[place] = fresh
            arrive.yield(fresh)
            return fresh
        }
    }

    private var known: [RemotePlace<Client>] { places.withLock { Array($0.values) } }

    /// Why no place gives an answer; `nil` as long as one may.
    public var unavailableReason: String? {
        let reasons = known.map(\.availability.reason)
        return reasons.contains(nil) ? nil : reasons.first ?? nil
    }

    /// The longest lag of the watches of all places.
    public var watchLag: Duration? { known.map(\.watch.lag).max() ?? .zero }

    /// The check of the service.
    public func check(_ pools: [PoolJobs]) async -> BackendReport { await service.check(pools) }

    /// Begins to watch the task of the identifier.
    public func adopt(_ identifier: InfrastructureIdentifier, flowRunID: String, flowRunName: String) async {
        inUse.add(identifier.rawValue)
    }

    /// Removes the tasks of this worker for runs outside `flowRunIDs`.
    public func removeOrphans(except flowRunIDs: Set<String>) async {
        // The recovery of these runs decides about them later, however long that takes.
        inUse.protect(flowRunIDs: flowRunIDs)
        marks.removeAll { name in flowRunIDs.contains { name.hasPrefix($0) } }
    }

    /// Watches the tasks of all places, and deletes what is no longer needed.
    public func run() async {
        await withDiscardingTaskGroup { group in
            for await place in arrivals {
                group.addTask { await place.watch.run() }
                group.addTask { await self.keepClean(place) }
            }
            group.cancelAll()
        }
    }

    // MARK: Deletion

    private func keepClean(_ place: RemotePlace<Client>) async {
        await withDiscardingTaskGroup { group in
            group.addTask {
                repeat {
                    for task in self.deletions.tasks(at: place.client.name) { await self.delete(task, at: place) }
                } while (try? await Task.sleep(for: Self.deletionInterval)) != nil
            }
            group.addTask {
                await self.sweep(place)
                await OrphanSweep.run { await self.sweep(place) }
            }
        }
    }

    /// Deletes a task, now or later, and also after a restart of the worker.
    func delete(_ task: String, at place: RemotePlace<Client>) async {
        let entry = RemoteDeletions.Entry(place: place.client.name, task: task)
        deletions.add(entry)
        do {
            let isGone = try await place.watch.source.noting { try await place.client.delete(task) }
            if isGone { deletions.remove(entry) }
        } catch let error as RemoteTaskError {
            switch error.kind {
            case .notFound: deletions.remove(entry)
            case .unavailable, .full: break
            case .refused:
                logger.warning("'\(task)' cannot be deleted: \(error.message). Delete it by hand")
                deletions.remove(entry)
            }
        } catch {
            // The worker shuts down. The next process deletes the task.
        }
    }

    private func sweep(_ place: RemotePlace<Client>) async {
        do {
            let orphans = try await place.watch.source.noting {
                try await place.client.orphans(of: self.owner, creating: self.inUse.claimsUnderCreation)
            }
            for task in orphans {
                let origin = place.client.origin(of: task)
                let isInUse = inUse.contains(
                    place.client.identifier(of: task).rawValue, claimID: origin?.claimID, flowRunID: origin?.flowRunID)
                if !isInUse { await delete(task, at: place) }
            }
        } catch {
            logger.debug("The tasks of \(place.client.name) cannot be listed: \(error)")
        }
    }
}
