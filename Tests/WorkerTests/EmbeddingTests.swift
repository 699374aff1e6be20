import BackendKit
import Logging
import PrefectClient
import TestSupport
import Testing

@testable import WorkerKit

/// A configuration of an embedded worker that uses an API.
private func configuration(
    _ api: String, in directory: String, pools: [ServingPlan.Pool] = [.init(name: "p")],
    backends: [any Backend.Type] = [FakeBackend.self], log: CapturedLog = CapturedLog()
) throws -> WorkerConfiguration {
    let environment = ["PREFECT_API_URL": api, "PREFECT_API_KEY": "top-secret-key", "HOME": directory]
    var configuration = WorkerConfiguration(
        settings: try .load(environment: environment, workingDirectory: directory),
        plan: ServingPlan(pools: pools, workerName: "tester"), backends: backends)
    configuration.environment = environment
    configuration.stateDirectory = "\(directory)/state"
    configuration.makeLogHandler = { _ in log.logger.handler }
    return configuration
}

@Suite("Embedding the worker")
struct EmbeddingTests {
    @Test("a worker serves a pool, serves another one after a reload, and ends after a shutdown")
    func wholeLife() async throws {
        try await withTemporaryDirectory { directory in
            try await withPool { api, deployment in
                let log = CapturedLog()
                let worker = try PrefectWorker(configuration(api.url, in: directory, log: log))
                #expect(worker.status == "the worker is starting" && worker.runsInFlight == 0)
                let run = api.scheduleRun(deployment: deployment)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await worker.run() }
                    try await api.waitUntil("the run has started") { $0.run(run)?.infrastructurePID != nil }
                    #expect(worker.runsInFlight == 1 && worker.isAlive && worker.reasonNotReady == nil)
                    api.addPool(name: "q")
                    let plan = ServingPlan(pools: [.init(name: "p"), .init(name: "q")], workerName: "tester")
                    try await worker.reload(worker.configuration.settings, plan: plan)
                    try await api.waitUntil("the other pool is served") { $0.pool("q")?.workers.isEmpty == false }
                    worker.shutDown()
                    worker.shutDown()
                    try await group.waitForAll()
                }
                #expect(!worker.shutdown.isServing && worker.runsInFlight == 0)
                #expect(log.contains("Reload: work pool 'q' is served as well"))
            }
        }
    }

    @Test("a worker that polls once ends by itself")
    func once() async throws {
        try await withTemporaryDirectory { directory in
            try await withPool { api, _ in
                var configuration = try configuration(api.url, in: directory)
                configuration.runsOnce = true
                try await PrefectWorker(configuration).run()
                #expect(api.pool("p")?.workers.map(\.name) == ["tester"])
            }
        }
    }

    @Test("a configuration that cannot be served is refused in one line")
    func refusals() async throws {
        try await withTemporaryDirectory { directory in
            let api = "http://127.0.0.1:1/api"
            let refused: [(WorkerConfiguration, String)] = [
                (try configuration(api, in: directory, pools: []), "names no work pool"),
                (try configuration(api, in: directory, pools: [.init(name: "a/b")]), "cannot contain '/'"),
                (
                    try configuration(api, in: directory, pools: [.init(name: "p", workerName: "a\u{1b}/b")]),
                    "the worker's name"
                ),
                (try configuration(api, in: directory, backends: []), "There is no backend"),
                (try configuration("", in: directory), "PREFECT_API_URL is not set"),
            ]
            for (configuration, reason) in refused {
                let error = #expect(throws: (any Error).self) { try PrefectWorker(configuration) }
                let text = error.map { "\($0)" } ?? ""
                #expect(text.contains(reason) && !text.contains("\n") && !text.contains("\u{1b}"), "\(text)")
            }
        }
    }

    @Test("a pool whose type no backend serves ends the worker with a refusal")
    func unservedType() async throws {
        try await withTemporaryDirectory { directory in
            try await withFakePrefectAPI { api in
                api.addPool(name: "p", type: "docker")
                let worker = try PrefectWorker(configuration(api.url, in: directory))
                let refusal = await #expect(throws: WorkerRefusal.self) { try await worker.run() }
                #expect(refusal?.description.contains("'docker'") == true)
            }
        }
    }

    @Test("the log of an embedded worker shows no secret")
    func secrets() async throws {
        try await withTemporaryDirectory { directory in
            let log = CapturedLog()
            let worker = try PrefectWorker(configuration("http://127.0.0.1:1/api", in: directory, log: log))
            var logger = worker.logger("test")
            logger[metadataKey: "url"] = "http://top-secret-key@host"
            logger.info("the key is top-secret-key")
            #expect(log.messages() == ["the key is ********"])
            #expect(logger[metadataKey: "url"] == "http://********@host")
        }
    }
}
