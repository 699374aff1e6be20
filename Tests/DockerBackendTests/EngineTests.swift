import Foundation
import JSON
import JobTemplates
import Synchronization
import TestSupport
import Testing
import Worker

@testable import DockerBackend

@Suite("What a backend makes of an Engine's answers")
struct EngineTests {
    /// A backend with an Engine that answers as a test says, while it watches.
    private struct Bench: Sendable {
        let backend: DockerBackend
        let engine: ScriptedEngine
        let reporter = RecordingReporter()
        let sink: RecordingSink
        let notices: Notices

        func job(_ rendered: JSONValue = [:]) throws -> Job<DockerConfiguration> {
            var rendered = rendered
            if rendered["image"] == nil { rendered["image"] = "i:1" }
            let configuration = try DockerConfiguration(rendered: rendered).prepared(
                for: PreparationContext(flowRun: ["id": "run-1", "name": "brave-otter"], flow: nil))
            return Job(
                flowRunID: "run-1", flowRunName: "brave-otter", claimID: "claim-1", deploymentID: nil,
                configuration: configuration, reporter: reporter)
        }
    }

    private final class Notices: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    private func withBackend<Result: Sendable>(
        _ script: @escaping ScriptedEngine.Script, _ body: (Bench) async throws -> Result
    ) async throws -> Result {
        let engine = try ScriptedEngine(script)
        defer { engine.stop() }
        let notices = Notices()
        let sink = RecordingSink()
        let backend = try DockerBackend(
            options: .init(
                environment: ["DOCKER_HOST": "unix://\(engine.path)", "HOME": "/nowhere"], standardOutput: sink,
                standardError: sink, notice: { notices.add($0) }))
        let bench = Bench(backend: backend, engine: engine, sink: sink, notices: notices)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await backend.run() }
            let result = try await body(bench)
            group.cancelAll()
            return result
        }
    }

    private static let id = String(repeating: "ab", count: 32)
    private static let present = ScriptedEngine.Reply.json(200, ["Id": "sha256:0"])

    private static func inspection(_ status: String, code: Int = 0) -> ScriptedEngine.Reply {
        .json(
            200,
            [
                "Id": .string(id), "Name": "/brave-otter",
                "State": ["Status": .string(status), "ExitCode": .int(code)],
                "Config": ["Tty": false, "Labels": [:]], "HostConfig": ["Memory": 0],
            ])
    }

    /// The answers of an Engine on which everything goes well, the run included.
    private static let well: ScriptedEngine.Script = { request in
        switch (request.method, request.path) {
        case (_, "/images/i:1/json"): present
        case (_, "/containers/create"): .json(201, ["Id": .string(id), "Warnings": []])
        case (_, "/events"): .open([])
        case ("POST", _): .json(204, .null)
        case (_, "/containers/\(id)/json"): inspection("exited", code: 3)
        case (_, "/containers/json"): .json(200, [])
        default: .lines([])
        }
    }

    private static let created = "POST /containers/create"

    @Test(
        "a run takes seven requests: its image, its container, the start, an inspection, its output, its last words, and its removal"
    )
    func requests() async throws {
        try await withBackend(Self.well) { bench in
            let job = try bench.job(["auto_remove": true])
            let identifier = try await bench.backend.start(job)
            #expect(identifier.rawValue == "http+docker://localhost:\(Self.id)")
            #expect(try await bench.backend.wait(for: identifier, job: job).code == 3)
            await bench.backend.cleanUp(identifier, job: job)
            let calls = bench.engine.calls.filter { $0 != "GET /events" }
            #expect(
                calls.sorted() == [
                    "DELETE /containers/\(Self.id)", "GET /containers/\(Self.id)/json",
                    "GET /containers/\(Self.id)/logs",
                    "GET /containers/\(Self.id)/logs", "GET /images/i:1/json", "POST /containers/\(Self.id)/start",
                    "POST /containers/create",
                ])
            #expect(bench.reporter.events.map { $0.split(separator: ".").last } == ["created", "exited"])
        }
    }

    @Test("a creation whose answer is lost is found by its claim, and nothing is created twice")
    func lostAnswer() async throws {
        let creations = Mutex(0)
        try await withBackend { request in
            if request.path == "/containers/create" {
                creations.withLock { $0 += 1 }
                return .drop
            }
            if request.path == "/containers/json", request.query.contains("prefect-worker.claim=claim-1") {
                return .json(200, [["Id": .string(Self.id), "State": "created", "Labels": [:]]])
            }
            return Self.well(request)
        } _: { bench in
            let identifier = try await bench.backend.start(bench.job())
            #expect(identifier.rawValue.hasSuffix(":\(Self.id)"))
            // The transport repeats a request whose kept connection was closed before a byte came.
            #expect(creations.withLock { $0 } <= 2)
            #expect(bench.engine.calls.contains("POST /containers/\(Self.id)/start"))
        }
    }

    @Test("a name that is taken by the claim's own container is no conflict; one that is another's gets a number")
    func conflicts() async throws {
        for isOwn in [true, false] {
            let conflict = ScriptedEngine.Reply.message(
                409, "Conflict. The container name \"/brave-otter\" is already in use by container \"x\".")
            try await withBackend { request in
                if request.path == "/containers/create", request.query == "name=brave-otter" { return conflict }
                if isOwn, request.path == "/containers/json", request.query.contains("claim-1") {
                    return .json(200, [["Id": .string(Self.id), "State": "created", "Labels": [:]]])
                }
                return Self.well(request)
            } _: { bench in
                _ = try await bench.backend.start(bench.job())
                let names = bench.engine.requests.filter { $0.path == "/containers/create" }.map(\.query)
                #expect(names == (isOwn ? ["name=brave-otter"] : ["name=brave-otter", "name=brave-otter-1"]))
            }
        }
    }

    @Test("a start whose answer is lost is not made again when the container has run")
    func lostStart() async throws {
        try await withBackend { request in
            request.path.hasSuffix("/start") ? .drop : Self.well(request)
        } _: { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            #expect(try await bench.backend.wait(for: identifier, job: job).code == 3)
            #expect(bench.engine.calls.filter { $0.hasSuffix("/start") }.count <= 2)
        }
    }

    @Test("a failure that a registry reports in the middle of a pull is the run's, in the registry's words")
    func pullFails() async throws {
        try await withBackend { request in
            switch request.path {
            case "/images/i:1/json": .message(404, "No such image: i:1")
            case "/images/create":
                .lines([
                    ["status": "Pulling from i", "id": "1"],
                    ["errorDetail": ["message": "toomanyrequests"], "error": "toomanyrequests: slow down"],
                ])
            default: Self.well(request)
            }
        } _: { bench in
            let error = await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
            #expect(error?.kind == .refused && error?.exitCode == 125)
            #expect(error?.message.contains("toomanyrequests: slow down") == true)
            #expect(!bench.engine.calls.contains(Self.created))
        }
    }

    @Test("where a pull is only to be tried, the image that is there does")
    func pullIfPossible() async throws {
        try await withBackend { request in
            request.path == "/images/create" ? .message(500, "no route to host") : Self.well(request)
        } _: { bench in
            _ = try await bench.backend.start(bench.job(["image_pull_policy": "IfPossible"]))
            #expect(bench.reporter.lines.contains { $0.contains("no route to host") && $0.contains("is used") })
        }
    }

    @Test("credentials are checked by the registry and shown to it alone; refused ones are the run's failure")
    func credentials() async throws {
        let secret: JSONValue = ["username": "u", "password": "top-secret", "registry_url": "https://r.io"]
        for (image, isShown) in [("r.io/a:1", true), ("other.io/a:1", false)] {
            try await withBackend { request in
                switch request.path {
                case "/auth": .json(200, ["Status": "Login Succeeded", "IdentityToken": "token-1"])
                case "/images/create": .lines([["status": "done"]])
                default: Self.well(request)
                }
            } _: { bench in
                _ = try await bench.backend.start(
                    bench.job([
                        "image": .string(image), "image_pull_policy": "Always", "registry_credentials": secret,
                    ]))
                let pull = try #require(bench.engine.requests.first { $0.path == "/images/create" })
                let header = pull.headers["x-registry-auth"].flatMap { text in
                    Data(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/"))
                }
                let shown = try header.map { try JSONValue(parsing: [UInt8]($0)) }
                #expect(shown == (isShown ? ["serveraddress": "https://r.io", "identitytoken": "token-1"] : nil))
                #expect(pull.query == "fromImage=\(image.dropLast(2))&tag=1")
                #expect(bench.engine.requests.first { $0.path == "/auth" }?.body["password"] == "top-secret")
            }
        }
        try await withBackend { request in
            request.path == "/auth" ? .message(401, "unauthorized: incorrect username or password") : Self.well(request)
        } _: { bench in
            let job = try bench.job(["image_pull_policy": "Always", "registry_credentials": secret])
            let error = await #expect(throws: InfrastructureError.self) { try await bench.backend.start(job) }
            #expect(error?.message.contains("unauthorized") == true && error?.message.contains("top-secret") == false)
        }
    }

    @Test("a container that cannot be started is removed again")
    func cannotStart() async throws {
        try await withBackend { request in
            request.path.hasSuffix("/start")
                ? .message(400, "failed to create shim: exec: \"x\": executable file not found in $PATH")
                : Self.well(request)
        } _: { bench in
            let error = await #expect(throws: InfrastructureError.self) { try await bench.backend.start(bench.job()) }
            #expect(error?.kind == .refused && error?.exitCode == 127)
            #expect(bench.engine.calls.contains("DELETE /containers/\(Self.id)"))
        }
    }

    @Test("an Engine that cannot answer for a while is asked again, and nothing is claimed meanwhile")
    func away() async throws {
        let isAway = Mutex(true)
        try await withBackend { request in
            guard isAway.withLock({ $0 }) else { return Self.well(request) }
            return .drop
        } _: { bench in
            try await eventually("it is known") { bench.backend.trouble?.contains("does not answer") == true }
            async let started = bench.backend.start(bench.job())
            isAway.withLock { $0 = false }
            _ = try await started
            try await eventually("it is known that it is back") { bench.backend.trouble == nil }
            #expect(bench.notices.all.count == 2)
        }
    }

    @Test("a container of another Engine is out of reach, one that is gone from this one has ended")
    func remains() async throws {
        try await withBackend { request in
            request.path.hasSuffix("/json") && request.path != "/containers/json"
                ? .message(404, "No such container") : Self.well(request)
        } _: { bench in
            let job = try bench.job()
            let here = InfrastructureIdentifier(rawValue: "http+docker://localhost:\(Self.id)")
            let there = InfrastructureIdentifier(rawValue: "http://other:2375:\(Self.id)")
            #expect(try await bench.backend.remains(of: job, identifier: here) == .ended(here))
            #expect(try await bench.backend.remains(of: job, identifier: there) == .outOfReach)
            #expect(try await bench.backend.remains(of: job, identifier: nil) == .neverStarted)
            let status = try await bench.backend.wait(for: here, job: job)
            #expect(status.code == nil && status.reason?.contains("removed by somebody else") == true)
            let error = await #expect(throws: InfrastructureError.self) {
                try await bench.backend.wait(for: there, job: job)
            }
            #expect(error?.kind == .notReachable)
        }
    }

    @Test("what an earlier process created is gone on with where it was started, and removed where it was not")
    func found() async throws {
        for (status, isRunning) in [("created", false), ("running", true), ("created", true)] {
            try await withBackend { request in
                switch (request.method, request.path) {
                case (_, "/containers/json"):
                    .json(200, [["Id": .string(Self.id), "State": .string(status), "Labels": [:]]])
                case ("DELETE", _):
                    isRunning ? .message(409, "You cannot remove a running container") : .json(204, .null)
                default: Self.well(request)
                }
            } _: { bench in
                let remains = try await bench.backend.remains(of: bench.job(), identifier: nil)
                let identifier = InfrastructureIdentifier(rawValue: "http+docker://localhost:\(Self.id)")
                #expect(remains == (isRunning ? .running(identifier) : .neverStarted))
            }
        }
    }

    @Test("a sweep removes what has ended and should be gone, or was never started, of this worker's alone")
    func sweep() async throws {
        let owner = Mutex("")
        func container(_ id: String, _ state: String, created: Int, removed: Bool, run: String = "r") -> JSONValue {
            var labels: JSONValue = ["io.prefect.flow-run-id": .string(run)]
            if removed { labels["prefect-worker.remove-at-end"] = "true" }
            return ["Id": .string(id), "State": .string(state), "Created": .int(created), "Labels": labels]
        }
        let now = Timestamp.now.microseconds / 1_000_000
        let listed: [JSONValue] = [
            container("ended", "exited", created: now, removed: true),
            container("kept", "exited", created: now - 9999, removed: false),
            container("new", "created", created: now, removed: true),
            container("forgotten", "created", created: now - 700, removed: false),
            container("in-flight", "exited", created: now, removed: true, run: "held"),
            container("adopted", "exited", created: now, removed: true),
        ]
        try await withBackend { request in
            guard request.path == "/containers/json" else { return Self.well(request) }
            owner.withLock { $0 = request.query }
            return .json(200, .array(listed))
        } _: { bench in
            await bench.backend.adopt(
                InfrastructureIdentifier(rawValue: "http+docker://localhost:adopted"), flowRunID: "a", flowRunName: "n")
            await bench.backend.discardRemains(except: ["held"])
            let removed = bench.engine.calls.filter { $0.hasPrefix("DELETE") }
            #expect(removed == ["DELETE /containers/ended", "DELETE /containers/forgotten"])
            #expect(owner.withLock { $0 }.contains("prefect-worker.owner=\(bench.backend.owner)"))
        }
    }

    @Test("a container of the Python worker's is stopped with the run's grace")
    func stop() async throws {
        try await withBackend(Self.well) { bench in
            try await bench.backend.stop(
                InfrastructureIdentifier(rawValue: "http+docker://localhost:\(Self.id)"), job: bench.job(),
                grace: .seconds(30), reason: .cancelled)
            let stop = try #require(bench.engine.requests.first { $0.path.hasSuffix("/stop") })
            #expect(stop.path == "/containers/\(Self.id)/stop" && stop.query == "t=30")
        }
    }

    @Test("the mark of a worker's containers is kept in its state directory")
    func owner() throws {
        try withFolder { folder in
            let mark = OwnerMark.take(in: folder)
            #expect(OwnerMark.take(in: folder) == mark)
            #expect(OwnerMark.take(in: nil) != mark)
        }
    }

    @Test("what is no Engine, or one of another time, is said to be so")
    func versions() {
        #expect(throws: EngineError.self) { try EngineVersion(["version": "1"]) }
        #expect(throws: EngineError.self) { try EngineVersion(["ApiVersion": "9.0", "MinAPIVersion": "8.0"]) }
        let version = try? EngineVersion(["ApiVersion": "1.52", "MinAPIVersion": "1.44", "Version": "29.0.0"])
        #expect(version?.api == "1.47" && version?.knowsHostGateway == true)
        #expect((try? EngineVersion(["ApiVersion": "1.40", "Version": "19.03.1"]))?.knowsHostGateway == false)
    }

    @Test("a log that breaks off is read again from where it was, without a line twice")
    func logResumes() async throws {
        func frame(_ text: String) -> [UInt8] { [1, 0, 0, 0, 0, 0, 0, UInt8(text.utf8.count)] + Array(text.utf8) }
        let one = frame("2026-01-01T00:00:01.000000001Z one\n")
        let two = frame("2026-01-01T00:00:02.000000002Z two\n")
        let three = frame("2026-01-01T00:00:03.000000003Z three\n")
        let hasEnded = Mutex(false)
        try await withBackend { request in
            switch request.path {
            case "/containers/\(Self.id)/json" where !hasEnded.withLock({ $0 }): return Self.inspection("running")
            case "/containers/\(Self.id)/logs" where request.query.contains("follow"):
                // The first answer breaks off, and the second begins with its last line.
                return request.query.contains("since=1767225602.000000002")
                    ? .open(two + three) : .cut(one + two + three.prefix(12))
            case "/events": return .open([])
            default: return Self.well(request)
            }
        } _: { bench in
            let job = try bench.job()
            let identifier = try await bench.backend.start(job)
            await withTaskGroup(of: Void.self) { group in
                group.addTask { _ = try? await bench.backend.wait(for: identifier, job: job) }
                try? await eventually("all is printed") { bench.sink.text.contains("three") }
                group.cancelAll()
            }
            #expect(bench.sink.text == "one\ntwo\nthree\n")
        }
    }
}
