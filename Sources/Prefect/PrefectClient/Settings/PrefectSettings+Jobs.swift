extension PrefectSettings {
    /// The settings that a job must start with, so that it sees the same settings as the worker.
    ///
    /// As in Prefect, these are all settings of any source, under their canonical names and in Prefect's order. Parsed
    /// values are written as Python writes them, and secrets are not masked. Three kinds are omitted: numbers that are
    /// not finite, levels that debug mode overrides, and a database URL that refers to the password.
    package func environmentForJobs() -> [(name: String, value: String)] {
        assignments.compactMap { assignment in
            guard isForwarded(assignment), let text = assignment.value.environmentText else { return nil }
            return (name: assignment.setting.name, value: text)
        }
    }

    /// An environment with these settings. They take precedence over its own variables.
    package func environmentForJobs(over environment: [String: String]) -> [String: String] {
        environment.merging(environmentForJobs().map { ($0.name, $0.value) }) { $1 }
    }

    private func isForwarded(_ assignment: Assignment) -> Bool {
        switch assignment.setting.path {
        case Key.loggingLevel.path, "internal.logging_level": return !forcesDebugLogging
        case "server.database.connection_url":
            guard case .secret(let url) = assignment.value else { return true }
            return !["PREFECT_API_DATABASE_PASSWORD", "PREFECT_SERVER_DATABASE_PASSWORD"]
                .contains { url.reveal().contains($0) }
        default: return true
        }
    }
}
