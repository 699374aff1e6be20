internal import BackendKit
internal import OrderedCollections
internal import PrefectConcurrency
internal import PrefectJSON
internal import Synchronization

/// A container of another worker's run that has ended.
struct EndedContainer: Sendable {
    let id: String
    let flowRunID: String
    let flowRunName: String
    let workPoolID: String
    /// Whether the container is to be removed after its end.
    let isToBeRemoved: Bool
    /// The event of its end; nothing when the container was found in a list.
    let history: ContainerProgress

    /// A container with these labels; `nil` if it belongs to no run, or to a run of the worker with this mark.
    init?(
        _ id: String, _ labels: OrderedDictionary<String, String>, history: ContainerProgress = ContainerProgress(),
        unlessOwnedBy owner: String
    ) {
        guard let flowRunID = labels[ContainerSource.label], let workPoolID = labels[Self.poolLabel],
            labels[ContainerRequest.Marks.ownerLabel] != owner
        else { return nil }
        self.id = id
        self.flowRunID = flowRunID
        self.workPoolID = workPoolID
        flowRunName = labels["io.prefect.flow-run-name"] ?? flowRunID
        isToBeRemoved = labels[ContainerRequest.Marks.removalLabel] == "true"
        self.history = history
    }

    /// The label with the id of the work pool, which containers of the Python worker have too.
    static let poolLabel = "io.prefect.work-pool-id"
}

/// The containers of other workers' runs that end, in the work pools that this worker serves.
final class EndedContainers: Sendable {
    /// The causes for a request to the Engine for a list of the containers that have ended.
    struct Occasion: Sendable, Equatable {
        /// The ids of the work pools.
        var pools: Set<String> = []
        /// How often a connection for events was made. Ends of containers may have been missed before each of them.
        var connections = 0
    }

    /// The containers that have failed.
    let stream: AsyncStream<EndedContainer>
    let occasion = ObservedValue(Occasion())
    private let found: AsyncStream<EndedContainer>.Continuation
    private let owner: String
    private let seen = Mutex(Seen())

    /// The containers that were found already. Each is passed on at most once.
    private struct Seen {
        /// Those of the last list.
        var listed: Set<String> = []
        /// Those of events since then.
        var sinceList: Set<String> = []
    }

    /// Creates a record of the containers that do not belong to the worker with this mark.
    init(owner: String) {
        self.owner = owner
        (stream, found) = AsyncStream.makeStream()
    }

    /// Begins to pass on the containers of a pool.
    func serve(poolID: String) { occasion.update { _ = $0.pools.insert(poolID) } }

    /// Records that events arrive from now on.
    func connected() { occasion.update { $0.connections &+= 1 } }

    /// Passes on the container of an event, if it has failed.
    func note(_ event: ContainerEvent, _ attributes: JSONValue?) {
        guard let code = event.exitCode, code != 0, !occasion.value.pools.isEmpty else { return }
        let labels = (attributes?.objectValue ?? [:]).compactMapValues(\.stringValue)
        var history = ContainerProgress()
        _ = history.note(event)
        guard let container = EndedContainer(event.container, labels, history: history, unlessOwnedBy: owner),
            occasion.value.pools.contains(container.workPoolID),
            seen.withLock({ !$0.listed.contains(container.id) && $0.sinceList.insert(container.id).inserted })
        else { return }
        found.yield(container)
    }

    /// Records a list of all containers that have ended, and returns those that were not found before.
    func new(among listed: [EndedContainer]) -> [EndedContainer] {
        seen.withLock { seen in
            let new = listed.filter { !seen.listed.contains($0.id) && !seen.sinceList.contains($0.id) }
            seen = Seen(listed: Set(listed.map(\.id)).union(seen.sinceList))
            return new
        }
    }

    /// Passes on a container of a list.
    func pass(_ container: EndedContainer) { found.yield(container) }
}
