import CoreMetrics
import HTTPTransport
import Logging
import PrefectClient
import PrefectConcurrency
import PrefectJSON
import Synchronization
import TestSupport
import Tracing
import WorkerKit

/// A worker that uses a fake API over real sockets, with intervals of milliseconds.
struct WorkerUnderTest: Sendable {
    let api: FakePrefectAPI
    let client: APIClient
    let backend: FakeBackend
    let worker: PoolWorker
    let daemon: WorkerDaemon
    let services: WorkerServices
    let log: CapturedLog
    /// Open when the daemon has returned.
    let hasEnded: Gate

    var shutdown: ShutdownSignal { services.shutdown }

    /// Waits until the daemon has returned.
    func waitForEnd(within timeout: Duration = .seconds(10)) async throws {
        try await eventually(within: timeout, "the worker ends") { hasEnded.isOpen }
    }

    /// Waits until the worker holds no run.
    func waitUntilIdle(within timeout: Duration = .seconds(10)) async throws {
        try await eventually(within: timeout, "the worker holds no run") { worker.registry.count == 0 }
    }
}

/// Runs a worker of the pool `p` during `body`, and cancels the worker afterwards if it has not ended.
func withWorker<Result: Sendable>(
    _ api: FakePrefectAPI, backend: FakeBackend = FakeBackend(), retryPolicy: RetryPolicy = RetryPolicy(),
    url: String? = nil, isCloud: Bool = false, requestTimeout: Duration = .seconds(10),
    flushTimeout: Duration = .seconds(15), workPatience: Duration = .seconds(30),
    takeoverInterval: Duration = .seconds(60),
    idleExitLimit: Duration = .seconds(15), drainTimeout: Duration? = nil, idleLimit: Duration? = nil,
    stateDirectory: String? = nil,
    metrics: any MetricsFactory = NOOPMetricsHandler.instance, tracer: any Tracer = NoOpTracer(),
    // The policy sets the pauses between attempts; tests shorten them.
    pause: @escaping @Sendable (Duration) async throws -> Void = {
        try await Task.sleep(for: min($0, .milliseconds(20)))
    },
    serve change: (inout ServedPool) -> Void = { _ in },
    _ body: (WorkerUnderTest) async throws -> Result
) async throws -> Result {
    let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
    let client = APIClient(
        configuration: .init(
            url: url ?? api.url, isCloud: isCloud, requestTimeout: requestTimeout, retryPolicy: retryPolicy),
        transport: transport, sleep: pause)
    let log = CapturedLog()
    let services = WorkerServices(
        api: client,
        logs: LogShipper(
            api: client, interval: .milliseconds(50), batchBytes: 4_000_000, maximumRecordBytes: 1_000_000,
            isEnabled: true, logger: log.logger),
        events: EventShipper(api: client, interval: .milliseconds(50), logger: log.logger), logger: log.logger,
        metrics: metrics, tracer: tracer,
        ledger: RunLedger(directory: stateDirectory, logger: log.logger), shutdown: ShutdownSignal(),
        flushTimeout: flushTimeout,
        workPatience: workPatience, takeoverInterval: takeoverInterval, idleExitLimit: idleExitLimit,
        environment: ["HOME": "/nowhere"],
        settingsEnvironment: ObservedValue([(name: "PREFECT_API_URL", value: api.url)]),
        redact: { $0.replacing("top-secret", with: "********") })
    var served = ServedPool(
        name: "p", workerName: "tester", pollInterval: .milliseconds(30), prefetch: .seconds(1),
        heartbeatInterval: .milliseconds(50), cancellationPollInterval: .milliseconds(30), stopGrace: .seconds(5))
    change(&served)
    let worker = PoolWorker(served: served, backend: backend, services: services)
    let daemon = WorkerDaemon(
        pools: [worker], backends: [backend], services: services, drainTimeout: drainTimeout, idleLimit: idleLimit)
    let subject = WorkerUnderTest(
        api: api, client: client, backend: backend, worker: worker, daemon: daemon, services: services, log: log,
        hasEnded: Gate())
    let result = await withTaskGroup(of: Void.self, returning: Swift.Result<Result, any Error>.self) { group in
        group.addTask {
            await daemon.run()
            subject.hasEnded.open()
        }
        let result: Swift.Result<Result, any Error>
        do {
            result = .success(try await body(subject))
        } catch {
            result = .failure(error)
        }
        group.cancelAll()
        return result
    }
    await transport.shutdown()
    return try result.get()
}

/// Runs `body` with a fake API that has a pool `p` and a deployment of the pool.
func withPool<Result>(
    configuration: FakeAPIConfiguration = FakeAPIConfiguration(), template: JSONValue = FakePrefectAPI.processTemplate,
    jobVariables: JSONValue = [:], _ body: (FakePrefectAPI, FakeDeployment) async throws -> Result
) async throws -> Result {
    try await withFakePrefectAPI(configuration: configuration) { api in
        let pool = api.addPool(name: "p", template: template)
        let flow = api.addFlow(name: "my-flow", tags: ["from-flow"])
        let deployment = api.addDeployment(
            name: "my-deployment", flow: flow, pool: pool, jobVariables: jobVariables, tags: ["from-deployment"])
        return try await body(api, deployment)
    }
}

/// Runs `body` with a client of an API. The client does not pause between its attempts.
func withWorkerClient<Result: Sendable>(
    _ api: FakePrefectAPI, _ body: (APIClient) async throws -> Result
) async throws -> Result {
    let transport = try HTTPTransport(TransportConfiguration(proxies: .direct))
    let client = APIClient(configuration: .init(url: api.url), transport: transport, sleep: { _ in })
    do {
        let result = try await body(client)
        await transport.shutdown()
        return result
    } catch {
        await transport.shutdown()
        throw error
    }
}

/// Puts another worker of the pool `p` online, so that claims have to be settled.
func announceAnotherWorker(_ api: FakePrefectAPI) async throws {
    try await withWorkerClient(api) { other in
        _ = try await other.sendWorkerHeartbeat(workPool: "p", worker: "other", interval: .seconds(60))
    }
}
