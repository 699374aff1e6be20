internal import CSQLite

/// A connection to a SQLite file, as far as the ledger needs one. For one thread at a time.
final class SQLiteConnection {
    /// SQLite could not do something.
    struct Failure: Error, CustomStringConvertible {
        /// SQLite's result code, without its extension.
        let code: Int32
        /// SQLite's words for it.
        let description: String

        init(_ code: Int32, _ description: String? = nil) {
            self.code = code & 0xff
            self.description = description ?? String(cString: sqlite3_errstr(code))
        }

        /// There is something that is no file of SQLite's.
        static let notALedger = Failure(SQLITE_NOTADB)
        /// There is no file.
        static let noFile = Failure(SQLITE_CANTOPEN)

        /// Whether the file is damaged, or no SQLite file at all.
        var isCorruption: Bool { code == SQLITE_CORRUPT || code == SQLITE_NOTADB }
    }

    /// How long a statement waits for other processes, in milliseconds.
    private static let patience: Int32 = 5000

    private let handle: OpaquePointer

    /// Opens a file, and makes it unless it is only to be read.
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

    /// Executes a statement with texts for its parameters. Returns the texts in the first column of its rows.
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

    /// Makes all changes of `body`, or none when it fails.
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
