import FoundationEssentials
import PrefectREST
import TestSupport
import Testing

@testable import HTTPTransport
@testable import PrefectClient

@Suite("Fuzzed HTTP headers, URLs and proxy settings", .timeLimit(.minutes(Fuzz.minutes)))
struct HTTPFuzzTests {
    private static let lines = [
        "HTTP/1.1 200 OK\r\n", "HTTP/1.1 103 Early Hints\r\n", "HTTP/2 404\r\n", "HTTP/1.0 999 \r\n",
        "HTTP/1.1 200\r\n",
        "HTTP/1.1 99999999999999999999 x\r\n", "HTTP/9.9 200 OK\r\n", "\r\n", "\n", "Name: value\r\n", "Name:\r\n",
        ": value\r\n", " folded\r\n", "\tfolded\r\n", "no colon\r\n", "Content-Length: 5\r\n", "Content-Length: -5\r\n",
        "Content-Length: 99999999999999999999\r\n", "Content-Length: +5\r\n", "Content-Length: 5, 5\r\n",
        "Content-Length: 0x10\r\n", "Content-Length:\r\n", "Retry-After: 5\r\n", "Set-Cookie: é=\u{FFFD}\r\n",
    ]

    @Test("any header lines give at most one head or a one-line error, and no negative body length")
    func heads() async throws {
        try await Fuzz.run(mostCases: 10_000) { random in
            var parser = HeadParser(url: "http://h/")
            var heads = 0
            for _ in 0..<random.below(12) {
                let line = Array(random.pick(Self.lines).utf8)
                switch parser.consume(random.oneIn(3) ? random.damaged(line) : line) {
                case .head(let head):
                    heads += 1
                    try Fuzz.require((200..<1000).contains(head.status), "status \(head.status)")
                    for method in [HTTPMethod.get, .head] {
                        let announced = head.announcedBytes(for: method)
                        try Fuzz.require(announced.map { $0 >= 0 } ?? true, "\(head) announces \(announced ?? 0)")
                    }
                case .malformed(let cause):
                    try Fuzz.require(!cause.contains("\n"), "\(cause) has two lines")
                    return
                case .trailer: try Fuzz.require(heads == 1, "a trailer before a head")
                case .incomplete, .interim: try Fuzz.require(heads == 0, "something after the head")
                }
            }
            try Fuzz.require(heads <= 1, "\(heads) heads")
        }
    }

    @Test("any Retry-After text gives a pause that is not negative, or none")
    func retryAfter() async throws {
        let now = Date(timeIntervalSince1970: 1_800_000_000)
        let texts = ["5", "0.5", "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "-1", "1e5"]
        try await Fuzz.run(mostCases: 10_000) { random in
            let text =
                random.oneIn(3) ? random.text(of: FuzzRandom.trouble, upTo: 3) : random.damaged(random.pick(texts))
            guard let pause = RetryAfter.parse(text, now: now) else { return }
            try Fuzz.require(pause >= .zero, "\(text) is \(pause)")
            // The retry policy must not trap on the pause either.
            _ = RetryPolicy().decide(
                after: .status(429, retryAfter: pause, isMaintenance: random.oneIn(2)),
                attempt: 1 + random.below(2000), effort: .persistent, random: Double.random(in: 0..<1, using: &random))
        }
    }

    private static let addresses = [
        "10.0.0.1", "10.0.0.0/8", "192.168.1.1/32", "0.0.0.0/0", "::1", "fd00::/8", "::ffff:10.0.0.1", "::ffff:0:0/96",
        "[::1]", "[::1]:8080", "1.2.3.4:80", "10.0.0.1/33", "10.0.0.1/-1", "::/129", "10.0.0.1/08", "1.2.3",
        "fe80::1%eth0",
        "example.com", ".example.com", "*.example.com", "*", "https://example.com:443", "example.com.", "...", "**",
    ]

    @Test("any no_proxy gives the same answer for a URL each time, and an address is in its own networks")
    func noProxy() async throws {
        try await Fuzz.run(mostCases: 6000) { random in
            var entries: [String] = []
            for _ in 0..<random.below(6) {
                let entry = random.pick(Self.addresses)
                entries.append(random.oneIn(2) ? random.damaged(entry) : entry)
            }
            let environment = [
                "http_proxy": random.oneIn(4) ? random.text(of: FuzzRandom.trouble, upTo: 3) : "http://proxy:3128",
                "no_proxy": entries.joined(separator: random.pick([",", " ", ", "])),
            ]
            let host = random.pick(["example.com", "10.0.0.1", "[::1]", "a.example.com.", "[::ffff:10.0.0.1]"])
            let url = "http://\(random.oneIn(3) ? random.damaged(host) : host)/x"
            let answer = ProxyPolicy(environment: environment).proxy(for: url)
            try Fuzz.require(ProxyPolicy(environment: environment).proxy(for: url) == answer, "another answer: \(url)")

            let bytes = (0..<4).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            let address = bytes.map(String.init).joined(separator: ".")
            let length = random.below(33)
            guard let parsed = IPAddress(address), let network = IPNetwork("\(address)/\(length)") else {
                try Fuzz.require(false, "\(address)/\(length) is refused")
                return
            }
            try Fuzz.require(network.contains(parsed), "\(address) is not in /\(length)")
            let bit = random.below(32)
            var other = bytes
            other[bit / 8] ^= 0x80 >> UInt8(bit % 8)
            let neighbour = IPAddress(other.map(String.init).joined(separator: "."))
            let contains = neighbour.map { network.contains($0) }
            try Fuzz.require(
                contains == (bit >= length), "\(address)/\(length) and the address with bit \(bit) changed")
        }
    }

    @Test(
        "any text of a URL or redirect is refused or reads back the same, and its password is not shown")
    func urls() async throws {
        let texts = [
            "http://user:S3CRET@host:8080/a/../b?x=1#f", "https://h", "//other/x", "../up", "?q", "#f", "http:///",
            "ftp://x",
            "http://[::1]:99999/", "http://h:80:80/", "HTTP://H/%zz", "http://h/ a", "/plain",
        ]
        try await Fuzz.run(mostCases: 4000) { random in
            guard let base = ParsedURL("http://user:S3CRET@host/path/x?y=1") else { return }
            let text =
                random.oneIn(4) ? random.text(of: FuzzRandom.trouble, upTo: 4) : random.damaged(random.pick(texts))
            guard let url = random.oneIn(2) ? ParsedURL(text) : base.resolving(text) else { return }
            try Fuzz.require(ParsedURL(url.text)?.text == url.text, "\(url.text) reads back otherwise")
            // A damaged separator can make the password a part of another component.
            if url.password == "S3CRET" {
                try Fuzz.require(!url.redacted.contains("S3CRET"), "\(url.redacted) shows the password")
            }
            let head = HTTPResponse.Head(status: random.pick([301, 303, 307]), headers: ["Location": text])
            _ = Redirect.next(after: head, to: HTTPRequest(url: base.text), at: base, hops: random.below(25))
        }
    }
}
