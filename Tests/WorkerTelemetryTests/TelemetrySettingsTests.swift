import HTTPTransport
import Testing

@testable import WorkerTelemetry

@Suite("OpenTelemetry's variables")
struct TelemetrySettingsTests {
    private func settings(_ environment: [String: String]) throws -> TelemetrySettings {
        try TelemetrySettings(environment: environment, version: "1.2.3")
    }

    @Test("without an endpoint, or when switched off, nothing is sent")
    func off() throws {
        let endpoint = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"]
        #expect(try !settings([:]).isActive)
        #expect(try !settings(["OTEL_EXPORTER_OTLP_ENDPOINT": ""]).isActive)
        #expect(try !settings(endpoint.merging(["OTEL_SDK_DISABLED": "TRUE"]) { $1 }).isActive)
        let traces = try settings(endpoint.merging(["OTEL_METRICS_EXPORTER": "none"]) { $1 })
        #expect(traces.traces != nil && traces.metrics == nil)
    }

    @Test("the common endpoint gets the path of the signal, an endpoint of a signal is used as it is")
    func endpoints() throws {
        for base in ["http://c:4318", "http://c:4318/"] {
            let both = try settings(["OTEL_EXPORTER_OTLP_ENDPOINT": base])
            #expect(both.traces?.url == "http://c:4318/v1/traces")
            #expect(both.metrics?.url == "http://c:4318/v1/metrics")
        }
        let own = try settings([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c/base", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://t/other",
        ])
        #expect(own.traces?.url == "https://t/other")
        #expect(own.metrics?.url == "https://c/base/v1/metrics")
    }

    @Test("headers, time limits and certificates of a signal override the common ones")
    func details() throws {
        let settings = try settings([
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b%3D, x = y ", "OTEL_EXPORTER_OTLP_METRICS_HEADERS": "m=1",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "2500", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "100",
            "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        ])
        #expect(settings.traces?.headers == [.init(name: "api-key", value: "a b="), .init(name: "x", value: "y")])
        #expect(settings.metrics?.headers == [.init(name: "m", value: "1")])
        #expect(settings.traces?.timeLimit == .milliseconds(100))
        #expect(settings.metrics?.timeLimit == .milliseconds(2500))
        #expect(settings.traces?.tls.authorities == .file("/ca.pem"))
    }

    @Test("the program names itself, unless variables name it")
    func resource() throws {
        #expect(
            try settings([:]).resource == [
                .init(name: "service.name", value: "prefect-worker"), .init(name: "service.version", value: "1.2.3"),
            ])
        let named = try settings([
            "OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.version=9,host=h%2Ci", "OTEL_SERVICE_NAME": "b",
        ])
        #expect(
            named.resource == [
                .init(name: "service.version", value: "9"), .init(name: "host", value: "h,i"),
                .init(name: "service.name", value: "b"),
            ])
    }

    @Test(
        "a value that cannot be used is named with the variable, and a header's value is not shown",
        arguments: [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4318:x"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"), ("OTEL_EXPORTER_OTLP_HEADERS", "key=secret%zz"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"), ("OTEL_METRIC_EXPORT_INTERVAL", "99999999999999999999"),
            ("OTEL_TRACES_SAMPLER", "jaeger_remote"), ("OTEL_SDK_DISABLED", "perhaps"),
            ("OTEL_TRACES_EXPORTER", "zipkin"), ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ])
    func problem(name: String, value: String) throws {
        let environment = ["OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"].merging([name: value]) { $1 }
        let problem = #expect(throws: TelemetrySettings.Problem.self) { try settings(environment) }
        let text = try #require(problem?.description)
        #expect(text.contains(name) && !text.contains("secret"))
    }

    @Test("a sampler records the given part of new traces, and what the parent records")
    func sampler() throws {
        func recorded(_ name: String, _ argument: String? = nil, parent: Bool? = nil) throws -> Double {
            var environment = ["OTEL_TRACES_SAMPLER": name]
            environment["OTEL_TRACES_SAMPLER_ARG"] = argument
            let sampler = try settings(environment).sampler
            let count = 4096
            let step = UInt64.max / UInt64(count)
            let number = (0..<count).count { sampler.records(parent: parent, random: UInt64($0) * step) }
            return Double(number) / Double(count)
        }
        #expect(try recorded("always_on") == 1)
        #expect(try recorded("always_off", parent: true) == 0)
        #expect(try abs(recorded("traceidratio", "0.25") - 0.25) < 0.01)
        #expect(try recorded("parentbased_traceidratio", "0.25", parent: true) == 1)
        #expect(try recorded("parentbased_always_on", parent: false) == 0)
        #expect(try recorded("parentbased_always_on") == 1)
    }
}
