internal import PrefectJSON

extension PrefectSettings {
    /// Ranges narrower than Prefect's own: the daemon could not work with values outside them. Time spans end at about
    /// thirty years, so that sums of them do not overflow.
    private static let limits: KeyValuePairs<SettingDefinition, SettingBounds> = [
        Key.requestTimeout.definition: .above(0, upTo: 1e9),
        Key.maxRetries.definition: .between(0, 1e6),
        Key.retryJitterFactor.definition: .between(0, 1e6),
        Key.metricsPort.definition: .between(0, 65_535),
        Key.cloudMaxLogSize.definition: .atLeast(1),
        Key.logBatchInterval.definition: .between(0, 1e9),
        Key.logBatchSize.definition: .atLeast(1),
        Key.maxLogSize.definition: .atLeast(1),
        Key.heartbeatSeconds.definition: .above(0, upTo: 1e9),
        Key.querySeconds.definition: .above(0, upTo: 1e9),
        Key.prefetchSeconds.definition: .between(0, 1e9),
        Key.cancellationPollSeconds.definition: .above(0, upTo: 1e9),
        Key.webserverPort.definition: .between(0, 65_535),
    ]

    /// Rejects values that a worker cannot work with.
    func checkLimits() throws(SettingsError) {
        for (setting, bounds) in Self.limits {
            guard let assignment = assigned[setting.path] else { continue }
            let number: Double
            let noun: String
            switch assignment.value {
            case .int(let value): (number, noun) = (Double(value), "a whole number")
            case .float(let value): (number, noun) = (value, "a number")
            default: continue
            }
            if bounds.contains(number) { continue }
            throw .invalidValue(
                setting: assignment.setting.name, source: assignment.source, found: assignment.value.description,
                expected: noun + bounds.expectation)
        }
    }

    /// Rejects a batch size that is smaller than the longest record.
    func checkLogBatch() throws(SettingsError) {
        let logging = apiLogging
        guard logging.batchSize < logging.maxLogSize else { return }
        let isBatchSet = assignment(of: Key.logBatchSize) != nil
        let (setting, found, expected) =
            isBatchSet
            ? (
                Key.logBatchSize.definition, logging.batchSize,
                "at least the \(logging.maxLogSize) of PREFECT_LOGGING_TO_API_MAX_LOG_SIZE"
            )
            : (
                Key.maxLogSize.definition, logging.maxLogSize,
                "at most the \(logging.batchSize) of PREFECT_LOGGING_TO_API_BATCH_SIZE"
            )
        guard let assignment = assigned[setting.path] else { return }
        throw .invalidValue(
            setting: assignment.setting.name, source: assignment.source, found: String(found), expected: expected)
    }

    /// Warnings about headers of `PREFECT_CLIENT_CUSTOM_HEADERS` that are not sent as they are set.
    var customHeaderWarnings: [String] {
        let names = customHeaders.map(\.name)
        let protected = names.filter { APIClient.protectedHeaders.contains($0.lowercased()) }
        let handshake = names.filter { APIClient.belongsToHandshake($0) && !protected.contains($0) }
        func warning(_ names: [String], _ consequence: String) -> String? {
            guard !names.isEmpty else { return nil }
            let list = names.map { "'\($0)'" }.joined(separator: ", ")
            return "PREFECT_CLIENT_CUSTOM_HEADERS sets \(list), \(consequence)".onOneLine
        }
        return [
            warning(protected, "which the client sets itself: ignored; remove it from the setting"),
            warning(handshake, "which a WebSocket's handshake sets itself: sent with ordinary requests only"),
        ].compactMap(\.self)
    }

    /// Warnings about a URL of Prefect Cloud that looks wrong; none if `PREFECT_SILENCE_API_URL_MISCONFIGURATION` is
    /// set.
    var apiURLWarnings: [String] {
        guard let url = apiURL, !self[Key.silencesURLWarnings] else { return [] }
        var warnings: [String] = []
        if url.contains("app.prefect.cloud") {
            warnings.append("PREFECT_API_URL names app.prefect.cloud, which is the UI; the API is at api.prefect.cloud")
        }
        if url.contains("account/") { warnings.append("PREFECT_API_URL has /account/ where /accounts/ belongs") }
        if url.contains("workspace/") { warnings.append("PREFECT_API_URL has /workspace/ where /workspaces/ belongs") }
        if let host = url.ranges(of: "api.prefect.cloud/").first, !url[host.upperBound...].hasPrefix("api") {
            warnings.append("PREFECT_API_URL lacks /api after api.prefect.cloud")
        }
        return warnings
    }
}
