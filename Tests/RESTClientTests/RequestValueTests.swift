import HTTPTransport
import PrefectJSON
import PrefectREST
import Testing

@Suite("Paths, queries and bodies of requests")
struct RequestValueTests {
    @Test(
        "every character of a name stays within its part of the path",
        arguments: [
            ("plain-Name_1.~", "plain-Name_1.~"), ("a/b", "a%2Fb"), ("50%", "50%25"), ("what?", "what%3F"),
            ("#1", "%231"), ("a b", "a%20b"), ("..", "%2E%2E"), (".", "%2E"), ("...", "%2E%2E%2E"), ("a..b", "a..b"),
            ("ü", "%C3%BC"), ("\n", "%0A"), ("", ""),
        ])
    func encoding(text: String, encoded: String) {
        #expect(PercentEncoding.encode(text) == encoded)
        #expect(RequestPath(parts: ["x", text]).encoded == "/x/" + encoded)
        let path: RequestPath = "/x/\(text)/y"
        #expect(path.encoded == "/x/\(encoded)/y")
    }

    @Test("reserved characters are kept on request, and literals and encoded paths stay unchanged")
    func kept() {
        let image: RequestPath = "/images/\("host:5000/a b@sha256:1", keeping: "/:@")/json"
        #expect(image.encoded == "/images/host:5000/a%20b@sha256:1/json")
        let literal: RequestPath = "/a%20b/?"
        #expect(literal.encoded == "/a%20b/?")
        #expect(RequestPath(encoded: "/a%2Fb").description == "/a%2Fb")
        #expect(RequestPath(parts: ["a", ""]).encoded == "/a/")
    }

    @Test("the target has the encoded query, and the operation does not")
    func target() {
        let request = RESTRequest(.get, "/a", query: [("x&", "1=2"), ("token", "s/e"), ("dots", "..")])
        #expect(request.target == "/a?x%26=1%3D2&token=s%2Fe&dots=..")
        #expect(request.operation == "GET /a")
        #expect(RESTRequest(.get, "/a").target == "/a")
        #expect(RESTRequest(.get, "/a", operation: "read a").operation == "read a")
    }

    @Test("a body has its bytes and its type")
    func bodies() {
        #expect(RESTRequest.Body.none.bytes == nil && RESTRequest.Body.none.type == nil)
        let json = RESTRequest.Body.json(["a": 1])
        #expect(json.bytes == Array(#"{"a":1}"#.utf8) && json.type == "application/json")
        let form = RESTRequest.Body.bytes(Array("a=1".utf8), type: "application/x-www-form-urlencoded")
        #expect(form.bytes == Array("a=1".utf8) && form.type == "application/x-www-form-urlencoded")
    }
}
