internal import CSQLite

/// A connection to a SQLite file, with the operations that the ledger needs. Only one thread at a time may use it.
final class SQLiteConnection {
    /// A failure of a SQLite operation.
    struct Failure: Error, CustomStringConvertible {
        /// SQLite's result code, without its extension.
        let code: Int32
        /// SQLite's description of the failure.
        let description: String

        init(_ code: Int32, _ description: String? = nil) {
            self.code = code & 0xff
            self.description = description ?? String(cString: sqlite3_errstr(code))
        }

        /// The file is not a SQLite file.
        static let notALedger = Failure(SQLITE_NOTADB)
        /// The file does not exist.
        static let noFile = Failure(SQLITE_CANTOPEN)

        /// Whether the file is damaged, or not a SQLite file at all.
        var isCorruption: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB }
    }

    /// How long a statement waits for a lock of another process, in milliseconds.
    private static let patience: Int32 = 5000

    private let handle: OpaquePointer

    /// Opens a file. Creates it when it does not exist, unless the connection is read-only.
    init(path: String, isReadOnly: Bool = false) throws(Failure) {
        var handle: OpaquePointer?
        let access = isReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
        let code = sqlite3_open_v2(path, &handle, access | SQLITE_OPEN_NOMUTEX, nil)
        guard code == SQLITE_OK, let handle else {
            sqlite3_close_v2(handle)
            throw Failure(code)
        }
        self.handle = handle
        sqlite3_busy_timeout(handle, Self.patience)
    }

    deinit { sqlite3_close_v2(handle) }

    /// Executes a statement with text parameters. Returns the texts in the first column of its rows.
    @discardableResult
    func execute(_ sql: String, _ parameters: String...) throws(Failure) -> [String] {
        var statement: OpaquePointer?
        try check(sqlite3_prepare_v2(handle, sql, -1, &statement, nil))
        defer { sqlite3_finalize(statement) }
        for (index, parameter) in parameters.enumerated() {
            let length = Int32(clamping: parameter.utf8.count)
            try check(csqlite_bind_text(statement, Int32(clamping: index + 1), parameter, length))
        }
        var texts: [String] = []
        while true {
            switch sqlite3_step(statement) {
            case SQLITE_ROW: if let text = sqlite3_column_text(statement, 0) { texts.append(String(cString: text)) }
            case SQLITE_DONE: return texts
            case let code: throw failure(code)
            }
        }
    }

    /// Applies all changes of `body`, or none when it throws.
    func transaction(_ body: () throws -> Void) throws {
        try execute("BEGIN IMMEDIATE")
        do {
            try body()
            try execute("COMMIT")
        } catch {
            _ = try? execute("ROLLBACK")
            throw error
        }
    }

    private func check(_ code: Int32) throws(Failure) {
        if code != SQLITE_OK { throw failure(code) }
    }

    private func failure(_ code: Int32) -> Failure { Failure(code, String(cString: sqlite3_errmsg(handle))) }
}
