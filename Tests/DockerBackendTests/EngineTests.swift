import BackendKit
import BackendKitTesting
import Foundation
import PrefectJSON
import Synchronization
import TestSupport
import Testing

@testable import DockerBackend

@Suite("Starting a container")
struct EngineTests {
    @Test("a run takes eight requests: image, creation, start, inspection, three for its output, and removal")
    func requests() async throws {
        try await withBackend(EngineBench.well) { bench in
            let job = try bench.job(["auto_remove": true])
            let identifier = try await job.start()
            #expect(identifier.rawValue == "http+docker://localhost:\(EngineBench.id)")
            #expect(try await job.wait(for: identifier).code == 3)
            await job.cleanUp(identifier)
            let calls = bench.engine.calls.filter { $0 != "GET /events" }
            #expect(
                calls.sorted() == [
                    "DELETE /containers/\(EngineBench.id)", "GET /containers/\(EngineBench.id)/json",
                    "GET /containers/\(EngineBench.id)/logs", "GET /containers/\(EngineBench.id)/logs",
                    "GET /containers/\(EngineBench.id)/logs", "GET /images/i:1/json",
                    "POST /containers/\(EngineBench.id)/start",
                    "POST /containers/create",
                ])
            #expect(bench.reporter.events.map { $0.name.split(separator: ".").last } == ["created", "exited"])
        }
    }

    @Test("a container whose creation answer is lost is found by its claim and not created twice")
    func lostAnswer() async throws {
        let creations = Mutex(0)
        try await withBackend { request in
            if request.path == "/containers/create" {
                creations.withLock { $0 += 1 }
                return .drop
            }
            if request.path == "/containers/json", request.query.contains("prefect-worker.claim=claim-1") {
                return .json(200, [["Id": .string(EngineBench.id), "State": "created", "Labels": [:]]])
            }
            return EngineBench.well(request)
        } _: { bench in
            let identifier = try await bench.job().start()
            #expect(identifier.rawValue.hasSuffix(":\(EngineBench.id)"))
            // libcurl itself repeats a request whose kept connection was closed before the first byte. It tries its
            // other kept connections and a new one. All requests have the same name, which the Engine assigns once.
            #expect(Set(bench.engine.requests.filter { $0.path == "/containers/create" }.map(\.query)).count == 1)
            #expect(creations.withLock { $0 } <= 6)
            #expect(bench.engine.calls.contains("POST /containers/\(EngineBench.id)/start"))
        }
    }

    @Test("a name taken by the claim's own container is no conflict; with another container, it gets a number")
    func conflicts() async throws {
        for isOwn in [true, false] {
            let conflict = ScriptedEngine.Reply.message(
                409, "Conflict. The container name \"/brave-otter\" is already in use by container \"x\".")
            try await withBackend { request in
                if request.path == "/containers/create", request.query == "name=brave-otter" { return conflict }
                if isOwn, request.path == "/containers/json", request.query.contains("claim-1") {
                    return .json(200, [["Id": .string(EngineBench.id), "State": "created", "Labels": [:]]])
                }
                return EngineBench.well(request)
            } _: { bench in
                _ = try await bench.job().start()
                let names = bench.engine.requests.filter { $0.path == "/containers/create" }.map(\.query)
                #expect(names == (isOwn ? ["name=brave-otter"] : ["name=brave-otter", "name=brave-otter-1"]))
            }
        }
    }

    @Test("a start whose answer is lost is not repeated when the container has run")
    func lostStart() async throws {
        try await withBackend { request in
            request.path.hasSuffix("/start") ? .drop : EngineBench.well(request)
        } _: { bench in
            let job = try bench.job()
            let identifier = try await job.start()
            #expect(try await job.wait(for: identifier).code == 3)
            // libcurl itself may repeat the start on each kept connection, but only before the worker inspects the
            // container.
            let calls = bench.engine.calls
            let looked = try #require(calls.firstIndex(of: "GET /containers/\(EngineBench.id)/json"))
            #expect(!calls[looked...].contains { $0.hasSuffix("/start") })
        }
    }

    @Test("a lack of memory that the Engine reports only after a container's end is named", arguments: [true, false])
    func lateLackOfMemory(isReported: Bool) async throws {
        let event: JSONValue = ["Action": "oom", "Actor": ["ID": .string(EngineBench.id)]]
        try await withBackend { request in
            switch request.path {
            case "/events" where request.query.contains("until"): .lines(isReported ? [event] : [])
            case "/containers/\(EngineBench.id)/json":
                EngineBench.inspection("exited", code: 137, finished: "2026-01-01T00:00:10.5Z", memory: 16 << 20)
            default: EngineBench.well(request)
            }
        } _: { bench in
            let job = try bench.job()
            let status = try await job.wait(for: job.start())
            let expected =
                isReported
                ? "The container ran out of memory: the kernel killed it (OOM) at its limit of 16 MiB."
                : "The container was killed (SIGKILL); the Engine did not report that it ran out of memory, whose limit "
                    + "is 16 MiB."
            #expect(status.reason == expected)
            let queries = bench.engine.requests.map(\.query).filter { $0.contains("until") }
            #expect(queries.map { $0.hasPrefix("since=1767225608&until=1767225612&") } == [true])
        }
    }

    @Test("a failure that a registry reports during a pull fails the run with the registry's message")
    func pullFails() async throws {
        try await withBackend { request in
            switch request.path {
            case "/images/i:1/json": .message(404, "No such image: i:1")
            case "/images/create":
                .lines([
                    ["status": "Pulling from i", "id": "1"],
                    ["errorDetail": ["message": "toomanyrequests"], "error": "toomanyrequests: slow down"],
                ])
            default: EngineBench.well(request)
            }
        } _: { bench in
            let error = await #expect(throws: InfrastructureError.self) { try await bench.job().start() }
            #expect(error?.kind == .refused && error?.exitCode == 125)
            #expect(error?.message.contains("toomanyrequests: slow down") == true)
            #expect(!bench.engine.calls.contains(EngineBench.created))
        }
    }

    @Test("with the policy IfPossible, a failed pull falls back to the existing image")
    func pullIfPossible() async throws {
        try await withBackend { request in
            request.path == "/images/create" ? .message(500, "no route to host") : EngineBench.well(request)
        } _: { bench in
            _ = try await bench.job(["image_pull_policy": "IfPossible"]).start()
            #expect(bench.reporter.lines.contains { $0.contains("no route to host") && $0.contains("is used") })
        }
    }

    @Test("credentials are checked by their registry and sent only to it, and refused credentials fail the run")
    func credentials() async throws {
        let secret: JSONValue = ["username": "u", "password": "top-secret", "registry_url": "https://r.io"]
        for (image, isShown) in [("r.io/a:1", true), ("other.io/a:1", false)] {
            try await withBackend { request in
                switch request.path {
                case "/auth": .json(200, ["Status": "Login Succeeded", "IdentityToken": "token-1"])
                case "/images/create": .lines([["status": "done"]])
                default: EngineBench.well(request)
                }
            } _: { bench in
                _ = try await bench.job([
                    "image": .string(image), "image_pull_policy": "Always", "registry_credentials": secret,
                ]).start()
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
            request.path == "/auth"
                ? .message(401, "unauthorized: incorrect username or password") : EngineBench.well(request)
        } _: { bench in
            let job = try bench.job(["image_pull_policy": "Always", "registry_credentials": secret])
            let error = await #expect(throws: InfrastructureError.self) { try await job.start() }
            #expect(error?.message.contains("unauthorized") == true && error?.message.contains("top-secret") == false)
        }
    }

    @Test("a container that cannot be started is removed again")
    func cannotStart() async throws {
        try await withBackend { request in
            request.path.hasSuffix("/start")
                ? .message(400, "failed to create shim: exec: \"x\": executable file not found in $PATH")
                : EngineBench.well(request)
        } _: { bench in
            let error = await #expect(throws: InfrastructureError.self) { try await bench.job().start() }
            #expect(error?.kind == .refused && error?.exitCode == 127)
            #expect(bench.engine.calls.contains("DELETE /containers/\(EngineBench.id)"))
        }
    }
}
