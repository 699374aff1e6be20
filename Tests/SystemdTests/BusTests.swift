import Glibc
import Testing

@testable import Systemd

@Suite("The connection to a bus")
struct BusTests {
    @Test("a bus that is used after its end writes to none of the files that were opened since")
    func closed() async throws {
        let bus = try #require(Bus(.user, matches: []))
        bus.close()
        for await _ in bus.events {}
        let files = (0..<32).map { _ in
            var path = Array("/tmp/bus-tests-XXXXXX".utf8CString)
            defer { unlink(path) }
            return mkstemp(&path)
        }
        defer { for file in files { close(file) } }
        await #expect(throws: BusError.self) {
            try await bus.call(
                BusCall(destination: "a.b", path: "/a", interface: "a.b", member: "C", timeout: .seconds(1)))
        }
        for file in files {
            var facts = stat()
            #expect(file >= 0 && fstat(file, &facts) == 0)
            #expect(facts.st_size == 0)
        }
    }
}
