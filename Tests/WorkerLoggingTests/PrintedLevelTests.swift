import Systemd
import Testing
import WorkerLogging

@Suite("Journal priorities of printed lines")
struct PrintedLevelTests {
    @Test(
        "a line in Prefect's format has the priority of its level, and any other line has info",
        arguments: [
            ("12:34:56.789 | CRITICAL | prefect.flow_runs - text", JournalEntry.Priority.critical),
            ("12:34:56.789 | ERROR   | Flow run 'owl' - a | b", .error),
            ("12:34:56.789 | WARNING | Flow run 'owl' - text", .warning),
            ("12:34:56.789 | INFO    | Flow run 'owl' - text", .info),
            ("12:34:56.789 | DEBUG   | Flow run 'owl' - text", .debug),
            ("12:34:56.789 | NOTICE  | Flow run 'owl' - text", .info), ("", .info), ("12:34:56.789 | ERROR", .info),
            ("an | ERROR | of somebody else", .info), ("12:34:56,789 | ERROR   | text", .info),
            ("1x:34:56.789 | ERROR   | text", .info),
        ])
    func priority(_ line: String, _ priority: JournalEntry.Priority) {
        #expect(JournalEntry.Priority(ofPrinted: line.utf8) == priority)
    }
}
