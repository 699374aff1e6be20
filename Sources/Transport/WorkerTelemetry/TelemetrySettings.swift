package import HTTPTransport

/// Where spans and metrics are sent, and how often: OpenTelemetry's standard environment variables.
///
/// Nothing is sent unless a variable names an endpoint. The variables are those of *OpenTelemetry Protocol Exporter* and
/// of *Environment Variable Specification*. Variables of one signal override the common ones.
package struct TelemetrySettings: Sendable, Hashable {
    /// The receiver of one signal.
    package struct Destination: Sendable, Hashable {
        /// The whole URL.
        package var url: String
        /// Headers of every request, often with a key.
        package var headers: [Header] = []
        /// The time limit for a request.
        package var timeLimit: Duration = .seconds(10)
        /// The certificate authorities and the client's certificate.
        package var tls = TLSConfiguration()
    }

    /// The name and the value of a header, or of an attribute.
    package struct Header: Sendable, Hashable {
        package var name: String
        package var value: String
    }

    /// A setting that cannot be used.
    package struct Problem: Error, Hashable, CustomStringConvertible {
        package let description: String
    }

    /// The receiver of spans; `nil` if none are sent.
    package var traces: Destination?
    /// The receiver of metrics; `nil` if none are sent.
    package var metrics: Destination?
    /// The attributes of the program itself, such as `service.name`.
    package var resource: [Header]
    /// Decides which traces are recorded.
    package var sampler: Sampler
    /// The pause between two requests with metrics.
    package var metricInterval: Duration
    /// The longest time that a span waits for others.
    package var spanDelay: Duration
    /// The greatest number of spans that wait. Further ones are dropped.
    package var queuedSpans: Int
    /// The greatest number of spans in one request.
    package var spansInRequest: Int

    /// Reads the variables. Throws ``Problem`` if one of them has no usable value.
    ///
    /// - Parameter version: The version of the program.
    package init(environment: [String: String], version: String) throws(Problem) {
        let variables = Variables(environment: environment)
        let isOff = try variables.truth("OTEL_SDK_DISABLED")
        traces = isOff ? nil : try variables.destination(of: "TRACES", path: "v1/traces")
        metrics = isOff ? nil : try variables.destination(of: "METRICS", path: "v1/metrics")
        var resource = try variables.pairs("OTEL_RESOURCE_ATTRIBUTES")
        if let name = variables["OTEL_SERVICE_NAME"] {
            resource.removeAll { $0.name == "service.name" }
            resource.append(Header(name: "service.name", value: name))
        }
        if !resource.contains(where: { $0.name == "service.name" }) {
            resource.append(Header(name: "service.name", value: "prefect-worker"))
        }
        if !resource.contains(where: { $0.name == "service.version" }) {
            resource.append(Header(name: "service.version", value: version))
        }
        self.resource = resource
        sampler = try Sampler(
            name: variables["OTEL_TRACES_SAMPLER"] ?? "parentbased_always_on",
            argument: variables["OTEL_TRACES_SAMPLER_ARG"])
        metricInterval = try variables.milliseconds("OTEL_METRIC_EXPORT_INTERVAL", 60_000)
        spanDelay = try variables.milliseconds("OTEL_BSP_SCHEDULE_DELAY", 5000)
        queuedSpans = try variables.number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, in: 1...1_000_000)
        spansInRequest = min(
            queuedSpans, try variables.number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512, in: 1...100_000))
    }

    /// Whether anything is sent.
    package var isActive: Bool { traces != nil || metrics != nil }
}

/// The variables of the environment, by the rules of OpenTelemetry: an empty one counts as not set.
private struct Variables {
    typealias Problem = TelemetrySettings.Problem

    let environment: [String: String]

    subscript(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The value of a variable of a signal, or else of the common variable, with the name that has it.
    private func value(_ name: String, of signal: String) -> (name: String, text: String)? {
        for name in ["OTEL_EXPORTER_OTLP_\(signal)_\(name)", "OTEL_EXPORTER_OTLP_\(name)"] {
            if let text = self[name] { return (name, text) }
        }
        return nil
    }

    func truth(_ name: String) throws(Problem) -> Bool {
        switch self[name]?.lowercased() {
        case "true": return true
        case nil, "false": return false
        case let text?: throw Problem(description: "\(name) must be true or false, not '\(text)'")
        }
    }

    func number(_ name: String, _ standard: Int, in range: ClosedRange<Int>) throws(Problem) -> Int {
        guard let text = self[name] else { return standard }
        guard let number = Int(text), range.contains(number) else {
            throw Problem(
                description: "\(name) must be a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'")
        }
        return number
    }

    func milliseconds(_ name: String, _ standard: Int) throws(Problem) -> Duration {
        .milliseconds(try number(name, standard, in: 1...86_400_000))
    }

    /// Pairs such as `key=value,other=value`, with percent-encoded values.
    func pairs(_ name: String) throws(Problem) -> [TelemetrySettings.Header] {
        try pairs(in: self[name] ?? "", of: name)
    }

    private func pairs(in text: String, of name: String) throws(Problem) -> [TelemetrySettings.Header] {
        var pairs: [TelemetrySettings.Header] = []
        for part in text.split(separator: ",") where part.contains(where: { $0 != " " }) {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = Self.trimmed(sides[0])
            // The text may contain a key, so the message does not show it.
            guard sides.count == 2, !key.isEmpty, let value = Self.decoded(Self.trimmed(sides[1])) else {
                throw Problem(description: "\(name) must be pairs such as key=value,key2=value2")
            }
            pairs.append(.init(name: key, value: value))
        }
        return pairs
    }

    func destination(of signal: String, path: String) throws(Problem) -> TelemetrySettings.Destination? {
        switch self["OTEL_\(signal)_EXPORTER"]?.lowercased() {
        case "none": return nil
        case nil, "otlp": break
        case let text?: throw Problem(description: "OTEL_\(signal)_EXPORTER must be otlp or none, not '\(text)'")
        }
        var url: String
        let source: String
        if let own = self["OTEL_EXPORTER_OTLP_\(signal)_ENDPOINT"] {
            (url, source) = (own, "OTEL_EXPORTER_OTLP_\(signal)_ENDPOINT")
        } else if let base = self["OTEL_EXPORTER_OTLP_ENDPOINT"] {
            (url, source) = (base + (base.hasSuffix("/") ? "" : "/") + path, "OTEL_EXPORTER_OTLP_ENDPOINT")
        } else {
            return nil
        }
        guard ParsedURL(url) != nil else {
            throw Problem(description: "\(source) must be a URL such as http://localhost:4318")
        }
        if url.hasSuffix("/"), source.contains(signal) { url.removeLast() }
        var destination = TelemetrySettings.Destination(url: url)
        if let (name, text) = value("PROTOCOL", of: signal), text == "grpc" {
            throw Problem(description: "\(name) must be http/json or http/protobuf: this program does not speak grpc")
        }
        if let (name, text) = value("HEADERS", of: signal) { destination.headers = try pairs(in: text, of: name) }
        if let (name, _) = value("TIMEOUT", of: signal) { destination.timeLimit = try milliseconds(name, 10_000) }
        if let (_, path) = value("CERTIFICATE", of: signal) { destination.tls.authorities = .file(path) }
        if let (_, certificate) = value("CLIENT_CERTIFICATE", of: signal),
            let (_, key) = value("CLIENT_KEY", of: signal)
        {
            destination.tls.clientCertificate = .files(certificate: certificate, key: key)
        }
        return destination
    }

    private static func trimmed(_ text: Substring) -> String {
        let start = text.drop { $0 == " " }
        return String(start.prefix(start.count - start.reversed().prefix { $0 == " " }.count))
    }

    /// Decodes `%41`; `nil` for a text that is not encoded correctly.
    private static func decoded(_ text: String) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let number = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(number)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
