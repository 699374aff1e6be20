import PrefectClient
import Testing

@Suite("Configuration of a client from settings")
struct ClientSettingsTests {
    private func configuration(_ environment: [String: String]) throws -> APIClient.Configuration {
        var all = environment
        all["HOME"] = "/nowhere"
        if all["PREFECT_API_URL"] == nil { all["PREFECT_API_URL"] = "http://127.0.0.1:4200/api" }
        let settings = try PrefectSettings.load(environment: all, workingDirectory: "/nowhere", profile: nil)
        return try #require(APIClient.Configuration(settings: settings))
    }

    @Test("a key becomes a bearer token, and an auth string takes precedence over the key")
    func authorization() throws {
        #expect(try configuration([:]).authorization == nil)
        #expect(try configuration(["PREFECT_API_KEY": "pnu_x"]).authorization?.reveal() == "Bearer pnu_x")
        let both = try configuration(["PREFECT_API_KEY": "pnu_x", "PREFECT_API_AUTH_STRING": "admin:pässword"])
        #expect(both.authorization?.reveal() == "Basic YWRtaW46cMOkc3N3b3Jk")
    }

    @Test("retries, timeout and headers come from the user's settings")
    func others() throws {
        let configuration = try configuration([
            "PREFECT_API_URL": "https://api.prefect.cloud/api/accounts/a/workspaces/w///", "PREFECT_API_KEY": "k",
            "PREFECT_CLIENT_MAX_RETRIES": "2", "PREFECT_CLIENT_RETRY_EXTRA_CODES": "500,504",
            "PREFECT_CLIENT_RETRY_JITTER_FACTOR": "0", "PREFECT_API_REQUEST_TIMEOUT": "7.5",
            "PREFECT_CLIENT_CUSTOM_HEADERS": "{\"X-A\": \"1\"}",
        ])
        #expect(configuration.url == "https://api.prefect.cloud/api/accounts/a/workspaces/w")
        #expect(configuration.isCloud && !configuration.csrfEnabled)
        #expect(configuration.retryPolicy == RetryPolicy(maxRetries: 2, jitterFactor: 0, extraCodes: [500, 504]))
        #expect(configuration.requestTimeout == .seconds(7.5))
        #expect(configuration.customHeaders.map(\.name) == ["X-A"])
    }

    @Test("headers that are not sent cause one warning with their names and without their values")
    func headersNotSent() throws {
        func warnings(_ headers: String) throws -> [String] {
            let environment = [
                "HOME": "/nowhere", "PREFECT_API_URL": "http://h/api", "PREFECT_CLIENT_CUSTOM_HEADERS": headers,
            ]
            return try PrefectSettings.load(environment: environment, workingDirectory: "/nowhere").warnings
        }
        #expect(try warnings(#"{"X-A": "1", "Authorization": "Basic eA=="}"#).isEmpty)
        for name in ["User-Agent", "prefect-csrf-token", "PREFECT-CSRF-CLIENT"] {
            let warnings = try warnings("{\"\(name)\": \"topsecret\", \"X-A\": \"1\"}")
            #expect(warnings.count == 1)
            #expect(warnings.first?.contains("PREFECT_CLIENT_CUSTOM_HEADERS sets '\(name)'") == true)
            #expect(warnings.first?.contains("ignored") == true)
            #expect(warnings.first?.contains("topsecret") == false)
        }
        #expect(try warnings(#"{"user-agent": "1", "Prefect-Csrf-Token": "2"}"#).count == 1)
        let handshake = try warnings(#"{"Host": "1", "Sec-WebSocket-Key": "2"}"#)
        #expect(handshake.count == 1 && handshake[0].contains("'Host', 'Sec-WebSocket-Key'"))
    }
}
