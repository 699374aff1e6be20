internal import Dispatch
internal import Glibc
package import Logging
internal import PrefectFiles
internal import PrefectJSON
internal import Synchronization

/// A record of the runs in flight, by which a later process finds them again. It is a SQLite file in the state
/// directory with one row for each run.
///
/// No failure of the file stops the worker. The ledger logs one warning when the file cannot be written, and rewrites
/// it from memory once that is possible. It moves a corrupt file aside, to `ledger.sqlite.corrupt-<seconds>`.
package final class RunLedger: Sendable {
    private struct State {
        var rows: [String: LedgerEntry] = [:]
        var database: SQLiteConnection?
        /// Whether the file differs from the rows because a write has failed.
        var isBehind = false
        var unavailableReason: String?
    }

    private let directory: String?
    private let path: String?
    private let logger: Logger
    private let state = Mutex(State())
    /// Writes run on this queue, because the disk may be slow and no task's thread must wait for it.
    private let queue = DispatchQueue(label: "ledger")

    /// The file's name in the state directory.
    static let fileName = "ledger.sqlite"
    /// The size of the cache of the database, in KiB.
    private static let cacheSize = 128

    /// Opens the ledger in a directory, with the entries of an earlier process. Without a directory, the ledger exists
    /// in memory only. `logger` receives one line when the file cannot be used, and one when it can be used again.
    package init(directory: String?, logger: Logger) {
        self.directory = directory
        path = directory.map { "\($0)/\(Self.fileName)" }
        self.logger = logger
        guard path != nil else { return }
        state.withLock { state in
            do {
                try load(into: &state)
            } catch {
                handle(error, in: &state)
                if state.database == nil { try? load(into: &state) }
            }
        }
    }

    /// The runs in flight, oldest first.
    package var entries: [LedgerEntry] { rows.filter(\.isInFlight) }

    /// The runs that have ended and that a late proposal may still change, oldest first.
    var uncertain: [LedgerEntry] { rows.filter { !$0.isInFlight } }

    private var rows: [LedgerEntry] {
        state.withLock { $0.rows.values.sorted { ($0.written, $0.flowRunID) < ($1.written, $1.flowRunID) } }
    }

    /// Whether the ledger holds a run.
    func contains(_ flowRunID: String) -> Bool { state.withLock { $0.rows[flowRunID] != nil } }

    /// Writes entries; each replaces an earlier entry of the same run. Returns when they are written or cannot be
    /// written. With `durably`, the entries are on the disk then and survive a power failure. Otherwise they survive
    /// the death of the worker.
    func record(_ entries: [LedgerEntry], durably: Bool = false) async {
        guard !entries.isEmpty else { return }
        await change(durably: durably) { rows in
            for entry in entries { rows[entry.flowRunID] = entry }
        } write: { database in
            for entry in entries { try Self.insert(entry, into: database) }
        }
    }

    /// Removes a run that needs no more work.
    func remove(_ flowRunID: String) async {
        await change(durably: false) { rows in
            rows[flowRunID] = nil
        } write: { database in
            try database.execute("DELETE FROM run WHERE id = ?", flowRunID)
        }
    }

    /// Removes a run that needs no more work, unless the worker has claimed it again since.
    func remove(_ flowRunID: String, of transitions: ClaimIDs) async {
        await change(durably: false) { rows in
            if rows[flowRunID]?.transitions == transitions { rows[flowRunID] = nil }
        } write: { database in
            try database.execute(
                "DELETE FROM run WHERE id = ? AND json_extract(entry, '$.claim') = ?", flowRunID, transitions.claim)
        }
    }

    /// Reads the runs in flight for inspection, from a ledger that another process may be writing. Throws when the file
    /// is not a ledger or cannot be read; returns no runs when there is no file.
    package static func entries(inDirectory directory: String) throws -> [LedgerEntry] {
        let path = "\(directory)/\(fileName)"
        guard access(path, F_OK) == 0 else { return [] }
        guard !isForeign(path) else { throw SQLiteConnection.Failure.notALedger }
        return try read(SQLiteConnection(path: path, isReadOnly: true)).entries.filter(\.isInFlight)
    }

    // MARK: File

    private func change(
        durably: Bool, rows: @escaping @Sendable (inout [String: LedgerEntry]) -> Void,
        write: @escaping @Sendable (SQLiteConnection) throws -> Void
    ) async {
        // Cancellation does not interrupt a write: a worker that shuts down still records its unfinished work.
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                state.withLock { state in
                    rows(&state.rows)
                    guard path != nil else { return }
                    do {
                        try apply(write, durably: durably, to: &state)
                    } catch {
                        handle(error, in: &state)
                        // A fresh file receives all rows at once.
                        if state.database == nil { try? apply(write, durably: durably, to: &state) }
                    }
                }
                continuation.resume()
            }
        }
    }

    private func apply(
        _ write: (SQLiteConnection) throws -> Void, durably: Bool, to state: inout State
    ) throws {
        let database = try state.database ?? open()
        state.database = database
        let wasBehind = state.isBehind
        let rows = state.rows
        // A commit waits for the disk only where a power failure would make the ledger wrong about a run.
        try database.execute("PRAGMA synchronous = \(durably ? "FULL" : "NORMAL")")
        try database.transaction {
            if wasBehind {
                try database.execute("DELETE FROM run")
                for entry in rows.values { try Self.insert(entry, into: database) }
            } else {
                try write(database)
            }
        }
        state.isBehind = false
        if state.unavailableReason != nil { logger.info("The ledger '\(path ?? "")' can be written again") }
        state.unavailableReason = nil
    }

    private func open() throws -> SQLiteConnection {
        guard let path else { throw SQLiteConnection.Failure.noFile }
        // The ledger creates the file itself, so that no other user can read it. SQLite gives its companion files the
        // same permissions.
        if Self.isForeign(path) { moveAside() }
        for companion in ["-wal", "-shm"] where Self.isForeign(path + companion) {
            TreeRemoval.remove(path + companion)
        }
        _ = directory.flatMap { RegularFile.open(Self.fileName, below: $0, O_RDWR | O_CREAT) }
        let database = try SQLiteConnection(path: path)
        try database.execute("PRAGMA journal_mode = WAL")
        // The rows are in memory already. SQLite needs only the pages of one change, and would keep 2 MB.
        try database.execute("PRAGMA cache_size = -\(Self.cacheSize)")
        try database.execute("CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY NOT NULL, entry TEXT NOT NULL)")
        return database
    }

    private func load(into state: inout State) throws {
        let database = try open()
        let (entries, unreadable) = try Self.read(database)
        state.database = database
        for entry in entries where state.rows[entry.flowRunID] == nil { state.rows[entry.flowRunID] = entry }
        if unreadable > 0 {
            logger.warning("\(unreadable) rows of the ledger '\(path ?? "")' cannot be read and are dropped")
        }
        state.isBehind = unreadable > 0
    }

    private static func read(_ database: SQLiteConnection) throws -> (entries: [LedgerEntry], unreadable: Int) {
        var entries: [LedgerEntry] = []
        var unreadable = 0
        for text in try database.execute("SELECT entry FROM run") {
            if let json = try? JSONValue(parsing: Array(text.utf8)),
                let entry = try? LedgerEntry(json: JSONFields(json))
            {
                entries.append(entry)
            } else {
                unreadable += 1
            }
        }
        return (entries, unreadable)
    }

    private static func insert(_ entry: LedgerEntry, into database: SQLiteConnection) throws {
        try database.execute(
            "INSERT OR REPLACE INTO run (id, entry) VALUES (?, ?)", entry.flowRunID, entry.json.serialized())
    }

    /// Logs a failure once, and moves a corrupt file aside.
    private func handle(_ error: any Error, in state: inout State) {
        state.isBehind = true
        if (error as? SQLiteConnection.Failure)?.isCorruption == true {
            state.database = nil
            moveAside()
            return
        }
        let cause = String(describing: error)
        guard state.unavailableReason != cause else { return }
        state.unavailableReason = cause
        logger.warning(
            """
            The ledger '\(path ?? "")' cannot be written: \(cause). Runs cannot be recovered after a restart; \
            free disk space or correct the permissions of the state directory
            """)
    }

    /// Whether the path exists but is not a regular file. SQLite could wait forever on such a path.
    private static func isForeign(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
    }

    private func moveAside() {
        guard let path else { return }
        let aside = "\(path).corrupt-\(Timestamp.now.microseconds / 1_000_000)"
        rename(path, aside)
        for companion in ["-wal", "-shm"] { TreeRemoval.remove(path + companion) }
        logger.warning("The ledger '\(path)' is corrupt: it was moved to '\(aside)', and a new one was created")
    }
}
