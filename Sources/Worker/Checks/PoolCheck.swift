public import PrefectAPI

/// Looks at the API and a pool the way a worker would use them, and changes nothing.
public struct PoolCheck: Sendable {
    private let api: APIClient
    private let pool: String?
    private let queues: [String]
    private let supportedTypes: [String]

    /// A check of an API and, when one is named, a pool with queues.
    public init(api: APIClient, pool: String?, queues: [String], supportedTypes: [String]) {
        self.api = api
        self.pool = pool
        self.queues = queues
        self.supportedTypes = supportedTypes
    }

    /// Everything that was found, in the order in which it was looked at.
    public func run() async -> [BackendReport.Finding] {
        var findings: [BackendReport.Finding] = []
        do {
            let version = try await api.readServerVersion()
            findings.append(
                .init(subject: "API", detail: "\(api.configuration.url) answers, version \(version)", isGood: true))
        } catch let error as APIError where error.isNotFound || error.isUnauthorized {
            let detail = error.isNotFound ? "\(api.configuration.url) answers" : error.description
            findings.append(.init(subject: "API", detail: detail, isGood: !error.isUnauthorized))
            if error.isUnauthorized { return findings }
        } catch {
            findings.append(.init(subject: "API", detail: "\(error)", isGood: false))
            return findings
        }
        if let pool { findings += await check(pool: pool) }
        return findings
    }

    private func check(pool name: String) async -> [BackendReport.Finding] {
        let pool: WorkPool
        do {
            pool = try await api.readWorkPool(named: name, effort: .once)
        } catch {
            let isMissing = (error as? APIError)?.isNotFound ?? false
            let detail =
                isMissing ? "'\(name)' does not exist; 'prefect-worker start' creates it" : "'\(name)': \(error)"
            return [.init(subject: "work pool", detail: detail, isGood: false)]
        }
        var findings = [
            BackendReport.Finding(
                subject: "work pool", detail: "'\(name)' of the type '\(pool.type)'\(pool.isPaused ? ", paused" : "")",
                isGood: true)
        ]
        if !supportedTypes.contains(pool.type) {
            let reason = PoolSynchronizer.reasonNotToServe(pool, as: supportedTypes.first ?? "process")
            findings.append(.init(subject: "work pool", detail: reason ?? "", isGood: false))
        }
        for queue in queues {
            do {
                let found = try await api.readWorkQueue(named: queue, ofPool: name)
                findings.append(
                    .init(subject: "work queue", detail: "'\(queue)'\(found.isPaused ? ", paused" : "")", isGood: true))
            } catch let error as APIError where error.isNotFound {
                let detail = "'\(queue)' does not exist; 'prefect-worker start' creates it"
                findings.append(.init(subject: "work queue", detail: detail, isGood: false))
            } catch {
                findings.append(.init(subject: "work queue", detail: "'\(queue)': \(error)", isGood: false))
            }
        }
        return findings
    }
}
