import BackendKit
import BackendKitTesting
import Foundation
import JobTemplates
import OrderedCollections
import PrefectClient
import PrefectConcurrency
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import DockerBackend

@Suite("Containers of other workers")
struct OrphanTests {
    private struct Container {
        let name: String
        var pool = "pool-1"
        var owner = "another"
        var code = 3
        var labels: JSONValue = [:]

        /// An id as the Engine makes them.
        var id: String { String(EngineBench.id.prefix(64 - name.utf8.count)) + name }

        /// The labels, with those that depend on the worker.
        func labels(ownedBy worker: String) -> JSONValue {
            var all: JSONValue = [
                "io.prefect.flow-run-id": .string(name), "io.prefect.work-pool-id": .string(pool),
                "prefect-worker.owner": .string(owner == "own" ? worker : owner),
            ]
            for (key, value) in labels.objectValue ?? [:] { all[key] = value }
            return all
        }
    }

    private static let containers = [
        Container(name: "crashed", labels: ["prefect-worker.remove-at-end": "true"]), Container(name: "kept"),
        Container(name: "over"), Container(name: "held"), Container(name: "again"), Container(name: "claimed"),
        Container(name: "completed", code: 0), Container(name: "own", owner: "own"),
        Container(name: "other", pool: "pool-2"),
    ]

    private func runs() -> ScriptedRuns {
        let pool = PoolJobs(
            pool: "p", id: "pool-1", template: DockerBackend.traits.baseJobTemplate, environment: [:],
            references: NoReferences()
        ) { [] }
        let runs = ScriptedRuns(pools: [pool])
        for container in Self.containers { runs.set(container.name, isInFlight: container.name != "over") }
        runs.take("held")
        runs.set("claimed", claimed: Timestamp.now)
        runs.set("kept", infrastructure: "http://same-engine:2375:\(Container(name: "kept").id)")
        runs.set("again", infrastructure: "http+docker://localhost:\(EngineBench.id)")
        return runs
    }

    private func inspection(_ container: Container) -> ScriptedEngine.Reply {
        .json(
            200,
            [
                "Id": .string(container.id), "Name": "/c",
                "State": [
                    "Status": "exited", "ExitCode": .int(container.code),
                    "FinishedAt": "2026-01-02T03:04:05.123456789Z",
                ],
                "Config": ["Tty": false], "HostConfig": ["Memory": 0],
            ])
    }

    /// Observes an Engine with the containers. `lists` decides whether its list of ended containers has them,
    /// `sendsEvents` whether it reports their ends, and `staysOpen` whether a connection for events lasts.
    private func observe(
        lists: Bool, sendsEvents: @escaping @Sendable () -> Bool,
        staysOpen: @escaping @Sendable () -> Bool = { true }, _ runs: ScriptedRuns,
        _ body: (EngineBench) async throws -> Void
    ) async throws {
        let owner = Mutex("")
        try await withBackend { request in
            let worker = owner.withLock { $0 }
            let found = Self.containers.first { request.path.hasSuffix("/\($0.id)/json") }
            switch (request.method, request.path) {
            case (_, "/events"):
                guard sendsEvents() else { return lists ? (staysOpen() ? .open([]) : .lines([])) : .drop }
                let events = Self.containers.map { container in
                    var attributes = container.labels(ownedBy: worker)
                    attributes["exitCode"] = .string("\(container.code)")
                    let event: JSONValue = [
                        "Action": "die", "Actor": ["ID": .string(container.id), "Attributes": attributes],
                    ]
                    return event.serialized() + "\n"
                }
                return .open(Array(events.joined().utf8))
            case (_, "/containers/json"):
                guard lists, request.query.contains("work-pool-id") else { return .json(200, []) }
                let listed = Self.containers.filter { $0.pool == "pool-1" }.map { container -> JSONValue in
                    ["Id": .string(container.id), "State": "exited", "Labels": container.labels(ownedBy: worker)]
                }
                return .json(200, .array(listed))
            default: return found.map(inspection) ?? EngineBench.well(request)
            }
        } _: { bench in
            owner.withLock { $0 = bench.backend.owner }
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await bench.backend.observe(runs) }
                try await body(bench)
                group.cancelAll()
            }
        }
    }

    private func expectCrashes(_ runs: ScriptedRuns, _ bench: EngineBench) async throws {
        try await eventually("both crashes are reported, and a container is removed") {
            !runs.crashes("crashed").isEmpty && !runs.crashes("kept").isEmpty
                && bench.engine.calls.contains { $0.hasPrefix("DELETE") }
        }
        for name in ["crashed", "kept"] {
            #expect(runs.crashes(name).map(\.code) == [3] && runs.marks(name).count == 1)
        }
        for container in Self.containers where !["crashed", "kept"].contains(container.name) {
            #expect(runs.crashes(container.name).isEmpty, "\(container.name)")
        }
        let removed = bench.engine.calls.filter { $0.hasPrefix("DELETE") }
        #expect(removed == ["DELETE /containers/\(Container(name: "crashed").id)"])
    }

    @Test("the crash of a run is reported when its container fails and its own worker does not report it")
    func events() async throws {
        let runs = runs()
        let isServed = Mutex(false)
        try await observe(lists: false, sendsEvents: { isServed.withLock { $0 } }, runs) { bench in
            try await eventually("the pool is served") {
                !bench.backend.watch.source.ended.occasion.value.pools.isEmpty
            }
            isServed.withLock { $0 = true }
            try await expectCrashes(runs, bench)
        }
    }

    @Test("a container that failed before the worker started is found in the Engine's list")
    func listed() async throws {
        let runs = runs()
        try await observe(lists: true, sendsEvents: { false }, runs) { try await expectCrashes(runs, $0) }
    }

    @Test("a container that is listed again is not looked at again")
    func listedAgain() async throws {
        let runs = runs()
        let isOpen = Mutex(true)
        try await observe(lists: true, sendsEvents: { false }, staysOpen: { isOpen.withLock { $0 } }, runs) { bench in
            func lists() -> Int {
                bench.engine.requests.count { $0.path == "/containers/json" && $0.query.contains("work-pool-id") }
            }
            try await expectCrashes(runs, bench)
            isOpen.withLock { $0 = false }
            bench.engine.endStreams()
            var count = lists()
            // By the second of these lists, all questions about the first one have been asked.
            try await eventually("the Engine is connected again") { lists() >= count + 2 }
            let questions = runs.questions
            count = lists()
            try await eventually("the Engine is connected again and again") { lists() >= count + 3 }
            #expect(runs.questions == questions)
        }
    }

    @Test("a worker whose mark is not the first waits for the report, and reports only with the first of a later mark")
    func marks() async throws {
        let runs = runs()
        runs.loseMarks(2)
        try await observe(lists: true, sendsEvents: { false }, runs) { _ in
            try await eventually("the run has crashed") { !runs.crashes("kept").isEmpty }
        }
        // Each delay is four times the `orphanGrace` of these tests.
        #expect(try #require(runs.patience("kept")) >= .milliseconds(400))
        #expect(Set(runs.marks("kept")).count == 3, "\(runs.marks("kept"))")
    }
}
