import HTTPTransport
import Testing
import TransportPeers

@Suite("Proxies from the environment") struct ProxyPolicyTests {
    private func policy(_ environment: [String: String]) -> ProxyPolicy {
        ProxyPolicy(environment: environment)
    }

    @Test("each scheme has its own variable, and all_proxy applies to the others")
    func schemes() {
        let policy = policy(["http_proxy": "http://h:1", "ALL_PROXY": "http://a:2"])
        #expect(policy.proxy(for: "http://x/") == "http://h:1")
        #expect(policy.proxy(for: "https://x/") == "http://a:2")
        #expect(ProxyPolicy.direct.proxy(for: "http://x/") == nil)
    }

    @Test("upper-case variable names are read, including HTTP_PROXY", arguments: ["HTTP_PROXY", "http_proxy"])
    func upperCase(_ name: String) {
        #expect(policy([name: "http://p:1"]).proxy(for: "http://x/") == "http://p:1")
        #expect(policy([name: "http://p:1"]).proxy(for: "https://x/") == nil)
    }

    @Test("a lower-case variable takes precedence, even if it is empty")
    func precedence() {
        #expect(policy(["HTTPS_PROXY": "u", "https_proxy": "l"]).proxy(for: "https://x/") == "l")
        #expect(policy(["HTTPS_PROXY": "u", "https_proxy": ""]).proxy(for: "https://x/") == nil)
    }

    @Test(
        "no_proxy lists the hosts that are reached directly",
        arguments: [
            ("*", "http://anything/", true),
            ("example.com", "http://example.com/", true),
            ("example.com", "http://EXAMPLE.com./", true),
            ("example.com", "http://api.example.com/", true),
            ("example.com", "http://notexample.com/", false),
            (".example.com", "http://api.example.com/", true),
            (".example.com", "http://example.com/", false),
            ("*.example.com", "http://api.example.com/", true),
            ("*.example.com", "http://example.com/", false),
            ("example.com:8080", "http://example.com:8080/", true),
            ("example.com:8080", "http://example.com/", false),
            ("example.com:80", "http://example.com/", true),
            ("https://example.com", "https://example.com/", true),
            ("https://example.com", "http://example.com/", false),
            ("localhost", "http://localhost:4200/api", true),
            ("localhost", "http://127.0.0.1/", false),
            ("10.1.2.3", "http://10.1.2.3:9/", true),
            ("10.1.2.3", "http://10.1.2.30/", false),
            ("10.1.2.3:81", "http://10.1.2.3:81/", true),
            ("10.1.2.3:81", "http://10.1.2.3/", false),
            ("10.0.0.0/8", "http://10.255.0.1/", true),
            ("10.0.0.0/8", "http://11.0.0.1/", false),
            ("192.168.1.128/25", "http://192.168.1.129/", true),
            ("192.168.1.128/25", "http://192.168.1.127/", false),
            ("0.0.0.0/0", "http://8.8.8.8/", true),
            ("0.0.0.0/0", "http://[::1]/", false),
            ("::1", "http://[::1]:4200/", true),
            ("[::1]:4200", "http://[0:0:0:0:0:0:0:1]:4200/", true),
            ("[::1]:4200", "http://[::1]/", false),
            ("fd00::/8", "http://[fd12:3456::1]/", true),
            ("fd00::/8", "http://[fe80::1]/", false),
            ("10.0.0.0/8", "http://[::ffff:10.0.0.1]/", true),
            ("10.0.0.0/8", "http://10.example.com/", false),
            ("10.0.0.0/99", "http://10.0.0.1/", false),
            ("a.test, b.test c.test,,", "http://c.test/", true),
            ("", "http://x/", false),
        ])
    func exemptions(_ list: String, _ url: String, _ isDirect: Bool) {
        let policy = policy(["ALL_PROXY": "http://p:1", "NO_PROXY": list])
        #expect((policy.proxy(for: url) == nil) == isDirect)
    }
}
