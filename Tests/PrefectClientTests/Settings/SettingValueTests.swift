import Testing

@testable import PrefectClient

@Suite("Values of settings")
struct SettingValueTests {
    /// The text that jobs get for a text in the environment: `(none)` without a value, `nil` if the text is refused.
    private func forwarded(_ path: String, _ text: String) throws -> String? {
        let setting = try #require(SettingDefinition.byPath[path])
        let parser = SettingParser(userHome: "/home/u", prefectHome: "/ph")
        do {
            return try parser.value(of: .text(text), as: setting.kind)?.environmentText ?? "(none)"
        } catch {
            return nil
        }
    }

    @Test(
        "switches are read in the spellings that Prefect accepts",
        arguments: [
            ("TRUE", "True"), ("On", "True"), ("y", "True"), ("1", "True"), ("no", "False"), ("F", "False"),
            ("0", "False"), ("off", "False"), ("", nil), (" true ", nil), ("1.0", nil), ("2", nil),
        ] as [(String, String?)])
    func switches(text: String, expected: String?) throws {
        #expect(try forwarded("api.enable_http2", text) == expected)
    }

    @Test(
        "whole numbers are read as Python reads them",
        arguments: [
            (" 5 ", "5"), ("1_000", "1000"), ("+7", "7"), ("007", "7"), ("5.0", "5"), ("-0", "0"), ("5.5", nil),
            ("5.", nil), ("1e3", nil), ("0x10", nil), ("-1", nil), ("true", nil), ("", nil), ("_1", nil), ("1__0", nil),
            ("1_", nil),
        ] as [(String, String?)])
    func integers(text: String, expected: String?) throws {
        #expect(try forwarded("client.max_retries", text) == expected)
    }

    @Test(
        "numbers are read and written as in Python",
        arguments: [
            ("5", "5.0"), (" 5.50 ", "5.5"), ("1e3", "1000.0"), ("1_0.5", "10.5"), ("1e22", "1e+22"), (".5", "0.5"),
            ("5.", "5.0"), ("123456789012345678", "1.2345678901234568e+17"), ("0.00001", "1e-05"), ("-3", "-3.0"),
            ("inf", "(none)"), ("NaN", "(none)"), ("-Infinity", "(none)"), ("", nil), ("0x10", nil), ("true", nil),
            ("1e", nil), ("--1", nil), ("nan(1)", nil),
        ] as [(String, String?)])
    func numbers(text: String, expected: String?) throws {
        #expect(try forwarded("worker.query_seconds", text) == expected)
    }

    @Test(
        "time spans are read from ISO 8601, clock times and, if Prefect allows it, seconds",
        arguments: [
            ("20", "PT20S"), ("20.25", "PT20.25S"), ("1e5", "P1DT3H46M40S"), ("-100000.5", "-P1DT3H46M40.5S"),
            ("40000000", "P1Y97DT23H6M40S"), ("0.0000015", "PT0.000002S"), ("0", "PT0S"), ("P1W", "P7D"),
            ("P1Y2M3DT4H5M6.789S", "P1Y63DT4H5M6.789S"), ("PT1.5H", "PT1H30M"), ("+PT5S", "PT5S"), ("P1DT", "P1D"),
            ("3 days, 01:30:00", "P3DT1H30M"), ("2d", "P2D"), ("-1:02:03.5", "-PT1H2M3.5S"), ("25:00:00", "P1DT1H"),
            ("00:00:00,5", "PT0.5S"), ("P", nil), ("PT", nil), ("1:02", nil), ("PT5s", nil), ("PT5M1", nil),
            ("12:60:00", nil), ("PT5S ", nil), ("inf", nil), ("1e20", nil), ("", nil),
        ] as [(String, String?)])
    func timeSpans(text: String, expected: String?) throws {
        #expect(try forwarded("server.services.late_runs.after_seconds", text) == expected)
    }

    @Test("a time span that Prefect does not read from seconds needs a unit")
    func strictTimeSpan() throws {
        #expect(try forwarded("server.api.csrf_token_expiration", "20") == nil)
        #expect(try forwarded("server.api.csrf_token_expiration", "PT20S") == "PT20S")
        #expect(try forwarded("server.services.db_vacuum.retention_period", "3600") == nil)
        #expect(try forwarded("server.services.db_vacuum.retention_period", "3601") == "PT1H1S")
    }

    @Test(
        "paths are normalized as in Prefect",
        arguments: [
            ("home", "~/x//y/./z/", "/home/u/x/y/z"), ("home", "", "."), ("home", "rel/../x", "rel/../x"),
            ("profiles_path", "$PREFECT_HOME/p.toml", "/ph/p.toml"), ("logging.config_path", "~/y//", "~/y"),
            ("logging.config_path", "//a//b", "//a/b"), ("logging.config_path", "///a", "/a"),
        ])
    func paths(path: String, text: String, expected: String) throws {
        #expect(try forwarded(path, text) == expected)
    }

    @Test(
        "lists are read from comma-separated text or JSON, and written sorted",
        arguments: [
            ("client.retry_extra_codes", "504, 429", "429,504"),
            ("client.retry_extra_codes", "[504,\"429\"]", "429,504"),
            ("client.retry_extra_codes", "429", "429"), ("client.retry_extra_codes", "", ""),
            ("client.retry_extra_codes", "99", nil), ("client.retry_extra_codes", "429,", nil),
            ("client.retry_extra_codes", "null", "(none)"), ("client.retry_extra_codes", "{\"429\":1}", nil),
            ("plugins.allow", "b,a", "a,b"), ("plugins.allow", "a, ,b,", ",a,b"), ("plugins.allow", "[\"b\"]", "b"),
            ("plugins.allow", "1", nil), ("logging.extra_loggers", "x", "x"),
            ("flows.default_retry_delay_seconds", "5", "5"), ("flows.default_retry_delay_seconds", "\"8.5\"", "8.5"),
            ("flows.default_retry_delay_seconds", "[10,2.5,1]", "1.0,10.0,2.5"),
            ("flows.default_retry_delay_seconds", "1,2", nil), ("flows.default_retry_delay_seconds", "", nil),
            ("tasks.default_retry_delay_seconds", "10,,2", "10.0,2.0"),
            ("tasks.default_retry_delay_seconds", "", "(none)"), ("tasks.default_retry_delay_seconds", "007", "7.0"),
            ("tasks.default_retry_delay_seconds", "abc", nil),
            ("server.services.db_vacuum.enabled", "flow_runs,events", "events,flow_runs"),
            ("server.services.db_vacuum.enabled", "", "False"), ("server.services.db_vacuum.enabled", "1", "True"),
            ("server.services.db_vacuum.enabled", "2", nil),
        ] as [(String, String, String?)])
    func lists(path: String, text: String, expected: String?) throws {
        #expect(try forwarded(path, text) == expected)
    }

    @Test(
        "maps are JSON objects and written as Python writes them",
        arguments: [
            ("client.custom_headers", #"{"b":"ü€😀","a":"x\"y"}"#, #"{"b": "\u00fc\u20ac\ud83d\ude00", "a": "x\"y"}"#),
            ("client.custom_headers", #"{"a":"1","b":"2","a":"3"}"#, #"{"a": "3", "b": "2"}"#),
            ("client.custom_headers", #""{\"a\":\"b\"}""#, #"{"a": "b"}"#), ("client.custom_headers", "null", "(none)"),
            ("client.custom_headers", #"{"a":1}"#, nil), ("client.custom_headers", "[]", nil),
            ("client.custom_headers", "", nil),
            (
                "server.services.db_vacuum.event_retention_overrides", #"{"a":3600,"b":"PT1H","c":"60"}"#,
                #"{"a": "PT1H", "b": "PT1H", "c": "PT1M"}"#
            ),
            ("server.services.db_vacuum.event_retention_overrides", #"{"a":0}"#, nil),
        ] as [(String, String, String?)])
    func maps(path: String, text: String, expected: String?) throws {
        #expect(try forwarded(path, text) == expected)
    }

    @Test("log levels ignore the case, and choices do not")
    func words() throws {
        #expect(try forwarded("logging.level", "debug") == "DEBUG")
        #expect(try forwarded("logging.level", "WARN") == nil)
        #expect(try forwarded("logging.to_api.when_missing_flow", "error") == "error")
        #expect(try forwarded("logging.to_api.when_missing_flow", "ERROR") == nil)
    }

    @Test("the log levels are in order")
    func levels() {
        #expect(PrefectSettings.LogLevel.allCases == PrefectSettings.LogLevel.allCases.sorted())
        #expect(PrefectSettings.LogLevel.debug < .critical)
    }
}
