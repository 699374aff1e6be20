import Foundation
import Glibc
import Testing

@testable import Systemd

@Suite("Journal entries")
struct JournalTests {
    /// The fields of an entry, as the journal reads them.
    private func fields(_ entry: [UInt8]) -> [String: String] {
        var fields: [String: String] = [:]
        var rest = entry[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let name = String(decoding: rest[..<end], as: UTF8.self)
            rest = rest[(end + 1)...]
            let count = rest.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(8)
            fields[name] = String(decoding: rest.prefix(count), as: UTF8.self)
            rest = rest.dropFirst(count + 1)
        }
        return fields
    }

    @Test("an encoded entry has all its fields, and values of several lines stay intact")
    func encoding() {
        var entry = JournalEntry(message: "one\ntwo=2".utf8, priority: .warning, identifier: "tester")
        entry.add("flow_run_id", "1f".utf8)
        entry.add("_PID", "1".utf8)
        entry.add("3-D", "x".utf8)
        entry.add("__", "nothing".utf8)
        #expect(
            fields(entry.encoded) == [
                "MESSAGE": "one\ntwo=2", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "tester", "FLOW_RUN_ID": "1f",
                "PID": "1", "F3_D": "x",
            ])
    }

    @Test("an entry is delivered, a journal that does not read is full, and an absent one refuses")
    func sending() throws {
        let path = "/tmp/journal-tests-\(UUID().uuidString)"
        defer { unlink(path) }
        let journal = try #require(JournalSocket(path: path))
        let entry = JournalEntry(message: "hello".utf8, priority: .info, identifier: "tester").encoded
        #expect(journal.send(entry, waitingUpTo: 0) == .refused)
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(receiver) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let isBound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(isBound == 0)
        #expect(journal.send(entry, waitingUpTo: 0) == .sent)
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = recv(receiver, &buffer, buffer.count, 0)
        #expect(fields(Array(buffer.prefix(count)))["MESSAGE"] == "hello")
        var outcomes: [JournalSocket.Outcome] = []
        repeat {
            outcomes.append(journal.send(entry, waitingUpTo: 10))
        } while outcomes.last == .sent && outcomes.count < 100_000
        #expect(outcomes.last == .full)
    }
}
