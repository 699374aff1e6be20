internal import Dispatch
internal import GRDB
internal import Glibc
internal import JSON
internal import Synchronization

/// The runs in flight, written down so that a later process finds them again: a SQLite file in the state directory with
/// one row for each run.
///
/// Nothing that happens to the file stops the worker. A file that cannot be written is told of once, and written anew
/// from memory when it can be; one that is corrupt is moved aside, to `ledger.sqlite.corrupt-<seconds>`.
public final class RunLedger: Sendable {
    private struct State {
        var rows: [String: LedgerEntry] = [:]
        var database: DatabaseQueue?
        /// Whether the file is not what the rows are, after something could not be written.
        var isBehind = false
        var trouble: String?
    }

    private let path: String?
    private let notice: @Sendable (String) -> Void
    private let state = Mutex(State())
    /// Writes may take as long as the disk likes; no task's thread waits for them.
    private let queue = DispatchQueue(label: "ledger")

    /// The file's name in the state directory.
    static let fileName = "ledger.sqlite"

    /// A ledger in a directory, with what an earlier process left in it; without a directory it is kept in memory alone.
    /// `notice` is told, in one line, what is wrong with the file, and that it is right again.
    public init(directory: String?, notice: @escaping @Sendable (String) -> Void) {
        path = directory.map { "\($0)/\(Self.fileName)" }
        self.notice = notice
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

    /// The rows, oldest first.
    public var entries: [LedgerEntry] {
        state.withLock { $0.rows.values.sorted { ($0.written, $0.flowRunID) < ($1.written, $1.flowRunID) } }
    }

    /// Writes entries, each in the place of an earlier one of the same run. Returns when they are written, or when they
    /// cannot be: with `durably` they are on the disk then and outlast a loss of power, else the death of the worker.
    func record(_ entries: [LedgerEntry], durably: Bool = false) async {
        guard !entries.isEmpty else { return }
        await change(durably: durably) { rows in
            for entry in entries { rows[entry.flowRunID] = entry }
        } write: { database in
            for entry in entries { try Self.insert(entry, into: database) }
        }
    }

    /// Removes a run that has been dealt with.
    func remove(_ flowRunID: String) async {
        await change(durably: false) { rows in
            rows[flowRunID] = nil
        } write: { database in
            try database.execute(sql: "DELETE FROM run WHERE id = ?", arguments: [flowRunID])
        }
    }

    /// Reads the entries of a ledger that another process may be writing, for those who want to look at it. Throws when
    /// the file is no ledger or cannot be read; none are returned when there is no file.
    public static func entries(inDirectory directory: String) throws -> [LedgerEntry] {
        let path = "\(directory)/\(fileName)"
        guard access(path, F_OK) == 0 else { return [] }
        var configuration = GRDB.Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        return try DatabaseQueue(path: path, configuration: configuration).read { try read($0).entries }
    }

    // MARK: The file

    private func change(
        durably: Bool, rows: @escaping @Sendable (inout [String: LedgerEntry]) -> Void,
        write: @escaping @Sendable (Database) throws -> Void
    ) async {
        // Not cut off by a cancellation: what is left undone is written down by a worker that leaves, too.
        await withCheckedContinuation { continuation in
            queue.async { [self] in
                state.withLock { state in
                    rows(&state.rows)
                    guard path != nil else { return }
                    do {
                        try apply(write, durably: durably, to: &state)
                    } catch {
                        handle(error, in: &state)
                        // A fresh file takes all rows at once.
                        if state.database == nil { try? apply(write, durably: durably, to: &state) }
                    }
                }
                continuation.resume()
            }
        }
    }

    private func apply(
        _ write: (Database) throws -> Void, durably: Bool, to state: inout State
    ) throws {
        let database = try state.database ?? open()
        state.database = database
        let wasBehind = state.isBehind
        let rows = state.rows
        try database.inDatabase { database in
            // A commit waits for the disk only where a loss of power would lie about a run.
            try database.execute(sql: "PRAGMA synchronous = \(durably ? "FULL" : "NORMAL")")
            try database.inTransaction {
                if wasBehind {
                    try database.execute(sql: "DELETE FROM run")
                    for entry in rows.values { try Self.insert(entry, into: database) }
                } else {
                    try write(database)
                }
                return .commit
            }
        }
        state.isBehind = false
        if state.trouble != nil { notice("The ledger '\(path ?? "")' can be written again") }
        state.trouble = nil
    }

    private func open() throws -> DatabaseQueue {
        guard let path else { throw DatabaseError(resultCode: .SQLITE_CANTOPEN) }
        // The file is made by us, so that it is nobody else's to read; SQLite gives its companions the same rights.
        let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        if descriptor >= 0 { close(descriptor) }
        var configuration = GRDB.Configuration()
        configuration.label = "ledger"
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA journal_mode = WAL") }
        let database = try DatabaseQueue(path: path, configuration: configuration)
        try database.inDatabase {
            try $0.execute(sql: "CREATE TABLE IF NOT EXISTS run (id TEXT PRIMARY KEY NOT NULL, entry TEXT NOT NULL)")
        }
        return database
    }

    private func load(into state: inout State) throws {
        let database = try open()
        let (entries, unreadable) = try database.inDatabase { try Self.read($0) }
        state.database = database
        for entry in entries where state.rows[entry.flowRunID] == nil { state.rows[entry.flowRunID] = entry }
        if unreadable > 0 { notice("\(unreadable) rows of the ledger '\(path ?? "")' cannot be read and are dropped") }
        state.isBehind = unreadable > 0
    }

    private static func read(_ database: Database) throws -> (entries: [LedgerEntry], unreadable: Int) {
        var entries: [LedgerEntry] = []
        var unreadable = 0
        for text in try String.fetchAll(database, sql: "SELECT entry FROM run") {
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

    private static func insert(_ entry: LedgerEntry, into database: Database) throws {
        try database.execute(
            sql: "INSERT OR REPLACE INTO run (id, entry) VALUES (?, ?)",
            arguments: [entry.flowRunID, entry.json.serialized()])
    }

    /// Says what is wrong, once, and moves a corrupt file aside.
    private func handle(_ error: any Error, in state: inout State) {
        state.isBehind = true
        let code = (error as? DatabaseError)?.resultCode
        if code == .SQLITE_CORRUPT || code == .SQLITE_NOTADB {
            state.database = nil
            moveAside()
            return
        }
        let cause = (error as? DatabaseError)?.message ?? String(describing: error)
        guard state.trouble != cause else { return }
        state.trouble = cause
        notice(
            "The ledger '\(path ?? "")' cannot be written: \(cause); the worker goes on, but would not find its runs "
                + "again after a restart; free space or correct the permissions of the state directory")
    }

    private func moveAside() {
        guard let path else { return }
        let aside = "\(path).corrupt-\(Timestamp.now.microseconds / 1_000_000)"
        rename(path, aside)
        for companion in ["-wal", "-shm"] { unlink(path + companion) }
        notice("The ledger '\(path)' is corrupt: it was moved to '\(aside)', and a new one was begun")
    }
}
