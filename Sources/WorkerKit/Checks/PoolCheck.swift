package import BackendKit
package import PrefectClient

/// Checks the API and a pool in the way a worker would use them, and changes nothing.
package struct PoolCheck: Sendable {
    private let api: APIClient
    private let pool: String?
    private let type: String?
    private let queues: [String]
    private let supportedTypes: [String]

    /// A check of an API and, when one is named, of a pool with queues. `type` is the type of the requested worker, if
    /// any.
    package init(api: APIClient, pool: String?, type: String? = nil, queues: [String], supportedTypes: [String]) {
        self.api = api
        self.pool = pool
        self.type = type
        self.queues = queues
        self.supportedTypes = supportedTypes
    }

    /// The findings, and the pool that they concern.
    package struct Report: Sendable {
        /// The findings, in the order of the checks.
        package var findings: [BackendReport.Finding] = []
        /// The pool, if the API describes it.
        package var pool: WorkPool?

        fileprivate mutating func add(_ subject: String, _ detail: String, isGood: Bool) {
            findings.append(.init(subject: subject, detail: detail, isGood: isGood))
        }
    }

    /// Performs all checks.
    package func run() async -> Report {
        var report = Report()
        do {
            report.add("API", try await describeAPI(), isGood: true)
        } catch {
            report.add("API", "\(error)", isGood: false)
            return report
        }
        guard let pool else {
            report.add("work pool", "none was checked: name one with --pool", isGood: true)
            return report
        }
        await check(pool: pool, &report)
        return report
    }

    /// Describes the API at the address. A server of another kind, or a wrong path, is an error.
    private func describeAPI() async throws -> String {
        let url = api.configuration.shownURL
        do {
            return "\(url) answers, version \(try await api.readAPIVersion(effort: .once))"
        } catch let error as APIError where error.isNotFound {
            // Prefect Cloud has no such route, but it has this one.
            _ = try await api.readWorkPools(limit: 1, effort: .once)
            return "\(url) answers"
        }
    }

    private func check(pool name: String, _ report: inout Report) async {
        do {
            let discovery = PoolDiscovery(api: api, supportedTypes: supportedTypes)
            switch try await discovery.find(pool: name, type: type, createsPool: true) {
            case .refused(let reason): return report.add("work pool", reason, isGood: false)
            case .unknown(let error): return report.add("work pool", "'\(name)': \(error)", isGood: false)
            case .servable(let type, nil, _):
                report.add("work pool", "'\(name)' will be created by 'start', with the type '\(type)'", isGood: true)
                for queue in queues { report.add("work queue", "'\(queue)' will be created by 'start'", isGood: true) }
            case .servable(_, let pool?, _):
                report.pool = pool
                let detail = "'\(name)' of the type '\(pool.type)'\(pool.isPaused ? ", paused" : "")"
                report.add("work pool", detail, isGood: true)
                for queue in queues { await check(queue: queue, ofPool: name, &report) }
            }
        } catch {
            report.add("work pool", "'\(name)': \(error)", isGood: false)
        }
    }

    private func check(queue: String, ofPool pool: String, _ report: inout Report) async {
        do {
            let found = try await api.readWorkQueue(named: queue, inWorkPool: pool)
            report.add("work queue", "'\(queue)'\(found.isPaused ? ", paused" : "")", isGood: true)
        } catch let error as APIError where error.isNotFound && !error.isMissingRoute {
            report.add("work queue", "'\(queue)' will be created by 'start'", isGood: true)
        } catch {
            report.add("work queue", "'\(queue)': \(error)", isGood: false)
        }
    }
}
