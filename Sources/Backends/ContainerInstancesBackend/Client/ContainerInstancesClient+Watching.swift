internal import AzureAccess
internal import BackendKit
internal import PrefectConcurrency
internal import PrefectREST
internal import Synchronization

/// The groups that a client has described, so that a group without news is not read often.
final class KnownGroups: Sendable {
    /// A group, and when it was described.
    struct Entry {
        var status: GroupStatus
        var read: ContinuousClock.Instant?
        var since: ContinuousClock.Instant
    }

    private let entries = Mutex<[String: Entry]>([:])

    subscript(name: String) -> Entry? { entries.withLock { $0[name] } }

    /// Records a description.
    ///
    /// - Parameter isRead: Whether the group itself was read, and not a listing.
    func note(_ status: GroupStatus, of name: String, isRead: Bool) {
        let now = ContinuousClock.now
        entries.withLock { entries in
            var entry = entries[name] ?? Entry(status: status, since: now)
            entry.status = status
            if isRead { entry.read = now }
            entries[name] = entry
        }
    }

    func forget(_ name: String) { entries.withLock { _ = $0.removeValue(forKey: name) } }
}

extension ContainerInstancesClient {
    /// The most groups that one description reads one by one. Azure accepts 25 requests in a second.
    private static let mostReadings = 60
    /// How many of them are read at the same time.
    private static let width = 8

    /// Describes groups by one listing. A listing of Azure may lack the states of containers, and for a time it may lack
    /// new groups. So the groups without a state are read one by one, those first that were not read for longest.
    public func describe(_ tasks: [String]) async throws -> [String: GroupStatus] {
        let located = tasks.compactMap { text in
            GroupTask(text: text).flatMap { task in
                (task.location ?? place.group).map { (text: text, task: task, place: $0) }
            }
        }
        var found: [String: GroupStatus] = [:]
        for (place, members) in Dictionary(grouping: located, by: \.place) {
            let part = try await translating(in: place) {
                try await describe(members.map { (text: $0.text, task: $0.task) }, in: place)
            }
            found.merge(part) { $1 }
        }
        return found
    }

    private func describe(
        _ tasks: [(text: String, task: GroupTask)], in place: ResourceGroup
    ) async throws -> [String: GroupStatus] {
        var found: [String: GroupStatus] = [:]
        var unread = tasks
        if tasks.count > 1 {
            let listed: [String: GroupStatus]
            do {
                listed = Dictionary(
                    try await groups(in: place).map { ($0.name, $0.status) }, uniquingKeysWith: { $1 })
            } catch let failure as RequestFailure where failure.reason.code == "ResourceGroupNotFound" {
                return [:]
            }
            unread = []
            for entry in tasks {
                guard let status = listed[entry.task.group], entry.task.isSame(as: status) else {
                    unread.append(entry)
                    continue
                }
                if !status.isDetailed { unread.append(entry) }
                // The last state that was read, until the group is read again.
                let last = known[entry.task.group].map(\.status)
                let isStale = !status.isDetailed && last?.claim == status.claim && last?.end == nil
                found[entry.text] = isStale ? last ?? status : status
                if !isStale { known.note(status, of: entry.task.group, isRead: status.isDetailed) }
            }
        }
        unread.sort { left, right in
            let moments = (known[left.task.group]?.read, known[right.task.group]?.read)
            guard let first = moments.0 else { return moments.1 != nil }
            return moments.1.map { first < $0 } ?? false
        }
        for chunk in unread.prefix(Self.mostReadings).chunks(of: Self.width) {
            for (entry, status) in try await read(chunk, in: place) {
                found[entry.text] = status
                if let status {
                    known.note(status, of: entry.task.group, isRead: true)
                } else {
                    known.forget(entry.task.group)
                }
            }
        }
        // A group that a listing lacks and that was not read may exist.
        for entry in unread.dropFirst(Self.mostReadings) where found[entry.text] == nil {
            found[entry.text] = known[entry.task.group]?.status
        }
        return found
    }

    private func read(
        _ tasks: [(text: String, task: GroupTask)], in place: ResourceGroup
    ) async throws -> [((text: String, task: GroupTask), GroupStatus?)] {
        try await withThrowingTaskGroup(of: (Int, GroupStatus?).self) { group in
            for (index, entry) in tasks.enumerated() {
                group.addTask { (index, try await own(entry.task, in: place)) }
            }
            var read: [((text: String, task: GroupTask), GroupStatus?)] = []
            for try await (index, status) in group { read.append((tasks[index], status)) }
            return read
        }
    }
}

extension RandomAccessCollection {
    /// The elements in portions of a size.
    fileprivate func chunks(of size: Int) -> [[Element]] {
        var chunks: [[Element]] = []
        for element in self {
            if let last = chunks.last, last.count < size {
                chunks[chunks.count - 1].append(element)
            } else {
                chunks.append([element])
            }
        }
        return chunks
    }
}
