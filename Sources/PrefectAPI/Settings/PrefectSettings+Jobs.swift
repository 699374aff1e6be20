extension PrefectSettings {
    /// The settings a job must be started with so that it sees what the worker sees.
    ///
    /// As in Prefect: everything that any source sets, under its canonical name and in Prefect's order, the parsed
    /// values written as Python writes them, secrets in clear. Left out are numbers that are not finite, the levels
    /// that debug mode overrides, and a database URL that refers to the password.
    public func environmentForJobs() -> [(name: String, value: String)] {
        assignments.compactMap { assignment in
            guard isForwarded(assignment), let text = assignment.value.environmentText else { return nil }
            return (name: assignment.setting.name, value: text)
        }
    }

    private func isForwarded(_ assignment: Assignment) -> Bool {
        switch assignment.setting.path {
        case "logging.level", "internal.logging_level": return !forcesDebugLogging
        case "server.database.connection_url":
            guard case .secret(let url) = assignment.value else { return true }
            return !["PREFECT_API_DATABASE_PASSWORD", "PREFECT_SERVER_DATABASE_PASSWORD"]
                .contains { url.reveal().contains($0) }
        default: return true
        }
    }
}
