import HTTPTransport
import Testing
import TransportPeers

@Suite("Headers") struct HTTPHeadersTests {
    @Test("header lookup ignores the case of names")
    func lookup() {
        let headers: HTTPHeaders = ["Content-Type": "a"]
        #expect(headers["content-TYPE"] == "a")
        #expect(headers["content-typ"] == nil)
    }

    @Test("a repeated name keeps all of its values in order")
    func repeated() {
        var headers: HTTPHeaders = ["A": "1", "B": "2"]
        headers.add("a", "3")
        #expect(headers.values(for: "A") == ["1", "3"])
        #expect(headers.map(\.name) == ["A", "B", "a"])
    }

    @Test("setting a value replaces all fields of the name, at the position of the first field")
    func setting() {
        var headers: HTTPHeaders = ["X": "0", "A": "1", "B": "2", "a": "3"]
        headers["a"] = "4"
        #expect(headers.map(\.value) == ["0", "4", "2"])
        headers["B"] = nil
        #expect(!headers.contains("b"))
        headers["New"] = "5"
        #expect(headers.last?.name == "New")
    }
}
