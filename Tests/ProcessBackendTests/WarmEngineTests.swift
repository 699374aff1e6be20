import BackendKit
import BackendKitTesting
import Foundation
import OrderedCollections
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

@Suite("Warm engines")
struct WarmEngineTests {
    @Test(
        "the first run has an interpreter of its own, and the next one is a copy with its own facts",
        arguments: Pythons.all)
    func copy(python: String) async throws {
        try await withWarmBench(python: python) { bench in
            let cold = try await bench.engine(["NAME": "first"])
            try await bench.waitForZygote()
            let warm = try await bench.engine(["NAME": "second"], arguments: "7")
            #expect(cold.code == 0 && warm.code == 7)
            #expect(bench.starts == ["warm": 1, "cold": ["starting": 1]])
            var (left, right) = (try bench.facts("first"), try bench.facts("second"))
            #expect(left["parent"] == .int(Int(getpid())) && right["parent"] == left["parent"])
            for name in FakePrefect.ownFacts {
                #expect(left[name] != nil && left[name] != right[name], "\(name)")
                (left[name], right[name]) = (nil, nil)
            }
            for (name, value) in left.objectValue ?? [:] { #expect(right[name] == value, "\(name)") }
            #expect(left.objectValue?.count == right.objectValue?.count)
            #expect(bench.output.lines == ["first", "second"])
            #expect(bench.errors.lines.filter { $0 == "imported" }.count == 2)
        }
    }

    @Test("a run that changes its modules, its environment and its logging leaves nothing for the next run")
    func isolation() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            try await bench.waitForZygote()
            _ = try await bench.engine(["NAME": "spoiler", "SPOIL": "1", "SECRET": "hunter2"])
            _ = try await bench.engine(["NAME": "after"])
            let facts = try bench.facts("after")
            #expect(facts["spoiled"] == false && facts["secret"] == nil)
            #expect(try bench.facts("spoiler")["random"] != facts["random"])
            #expect(bench.backend.starts.json["warm"] == 2)
        }
    }

    @Test("the memory and the environment of the zygote do not contain a run's variables")
    func secrets() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first", "TOKEN": "swordfish-0"])
            let zygote = try await bench.waitForZygote()
            _ = try await bench.engine(["NAME": "second", "TOKEN": "swordfish-1"])
            #expect(bench.backend.starts.json["warm"] == 1)
            let memory = try bench.memory(of: zygote)
            #expect(memory.count > 1 << 20)
            let (hasOwn, hasToken) = (
                memory.contains(text: "prefect_worker_zygote"), memory.contains(text: "swordfish-")
            )
            #expect(hasOwn && !hasToken)
        }
    }

    @Test(
        "a run for which a new interpreter would behave differently gets one",
        arguments: [
            ("settings", ["prefect.toml": ""]), ("settings", [".env": "A=1"]),
            ("settings", ["pyproject.toml": "[tool.prefect]\nx = 1"]), ("module", ["prefect.py": ""]),
            ("module", ["json/__init__.py": ""]),
        ])
    func colder(reason: String, files: [String: String]) async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            try await bench.waitForZygote()
            let place = try bench.project(files)
            _ = try? await bench.engine(["NAME": "second"], workingDirectory: place)
            #expect(bench.starts == ["warm": 0, "cold": ["starting": 1, .init(reason): 1]])
        }
    }

    @Test(
        "a directory with other files does not make a run cold",
        arguments: [["flow.py": "", "json": nil, "pyproject.toml": "[project]\nname = 'prefect'"]])
    func ordinaryDirectory(files: [String: String?]) async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            try await bench.waitForZygote()
            let place = try bench.project(files.compactMapValues { $0 })
            // A directory without __init__.py does not hide a module.
            try FileManager.default.createDirectory(atPath: "\(place)/json", withIntermediateDirectories: true)
            _ = try await bench.engine(["NAME": "second"], workingDirectory: place)
            #expect(bench.backend.starts.json["warm"] == 1)
        }
    }

    @Test("after a change of an imported file, the zygote is replaced")
    func stale() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            let zygote = try await bench.waitForZygote()
            try bench.prefect.write("extra.py", "VERSION = 2")
            _ = try await bench.engine(["NAME": "second"])
            #expect(try bench.facts("second")["version"] == 2)
            try await eventually("another zygote is ready") {
                let next = await bench.backend.zygotes.processes.first
                return next != nil && next != zygote
            }
            _ = try await bench.engine(["NAME": "third"])
            #expect(try bench.facts("third")["version"] == 2)
            #expect(bench.starts == ["warm": 1, "cold": ["starting": 1, "stale": 1]])
        }
    }

    @Test("runs with other values of a variable that the imports read have a zygote of their own")
    func variables() async throws {
        var limits = ZygotePool.Limits()
        limits.place = .seconds(3600)
        try await withWarmBench(limits: limits) { bench in
            for value in ["a", "b"] {
                _ = try await bench.engine(["NAME": "cold-\(value)", "READ_AT_IMPORT": value])
                try await eventually("a zygote for \(value) is ready") {
                    await bench.backend.zygotes.processes.count == (value == "a" ? 1 : 2)
                }
            }
            for value in ["a", "b"] {
                _ = try await bench.engine(["NAME": "warm-\(value)", "READ_AT_IMPORT": value])
                #expect(try bench.facts("warm-\(value)")["read"] == .string(value))
            }
            _ = try await bench.engine(["NAME": "third", "PREFECT_X": "c"])
            #expect(bench.starts == ["warm": 2, "cold": ["starting": 2, "no place": 1]])
        }
    }

    @Test("a zygote that is killed, or that does not answer, costs no run")
    func broken() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            for (index, signal) in [SIGKILL, SIGSTOP].enumerated() {
                let zygote = try await bench.waitForZygote()
                kill(zygote, signal)
                let status = try await bench.engine(["NAME": "second-\(index)"], arguments: "3")
                #expect(status.code == 3)
                #expect(try bench.facts("second-\(index)")["name"] == .string("second-\(index)"))
                try await eventually("the zygote has been reaped") { ProcessFacts(pid: zygote) == nil }
            }
            #expect(bench.runDirectories.isEmpty)
        }
    }

    @Test("a run continues without its zygote, and its exit code is known")
    func orphanedCopy() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            let zygote = try await bench.waitForZygote()
            let job = try bench.job(["NAME": "second", "WAIT_FOR": bench.directory.file("go")], arguments: "9")
            let identifier = try await job.start()
            kill(zygote, SIGKILL)
            try await eventually("the zygote has been reaped") { ProcessFacts(pid: zygote) == nil }
            try bench.directory.write("go", "")
            #expect(try await job.wait(for: identifier).code == 9)
            #expect(bench.backend.starts.json["warm"] == 1)
        }
    }

    @Test("an idle zygote ends, and one after its greatest number of copies is replaced")
    func retirement() async throws {
        var limits = ZygotePool.Limits()
        limits.idle = .milliseconds(300)
        try await withWarmBench(limits: limits) { bench in
            _ = try await bench.engine(["NAME": "first"])
            try await eventually("a zygote was ready") { bench.log.messages().contains { $0.contains("is ready") } }
            try await eventually("no zygote is left") { await bench.backend.zygotes.processes.isEmpty }
        }
        limits = ZygotePool.Limits()
        limits.copies = 1
        try await withWarmBench(limits: limits) { bench in
            _ = try await bench.engine(["NAME": "first"])
            let zygote = try await bench.waitForZygote()
            _ = try await bench.engine(["NAME": "second"])
            try await eventually("the zygote has been reaped") { ProcessFacts(pid: zygote) == nil }
            // The other one was ready before the end of the first.
            _ = try await bench.engine(["NAME": "third"])
            #expect(bench.starts == ["warm": 2, "cold": ["starting": 1]])
        }
    }

    @Test("a run that starts before the backend runs requests a zygote for the next run")
    func early() async throws {
        try await withWarmBench {
            _ = try await $0.engine(["NAME": "first"])
        } _: { bench in
            try await bench.waitForZygote()
            _ = try await bench.engine(["NAME": "second"])
            #expect(bench.starts == ["warm": 1, "cold": ["starting": 1]])
        }
    }

    @Test("when the pool takes no more runs, the zygote ends and its copies continue")
    func drain() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            let zygote = try await bench.waitForZygote()
            let job = try bench.job(["NAME": "second", "WAIT_FOR": bench.directory.file("go")], arguments: "9")
            let identifier = try await job.start()
            await bench.backend.releaseSpares()
            try await eventually("the zygote has been reaped") { ProcessFacts(pid: zygote) == nil }
            try bench.directory.write("go", "")
            #expect(try await job.wait(for: identifier).code == 9)
            _ = try await bench.engine(["NAME": "third"])
            #expect(bench.starts == ["warm": 1, "cold": ["starting": 1, "retired": 1]])
        }
    }

    @Test(
        "an interpreter that cannot have a zygote is named with the reason, and its runs start",
        arguments: [
            ("import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", "thread"),
            ("import signal; signal.signal(signal.SIGTERM, lambda *_: None)", "signal handler"),
            ("file = open('/etc/hostname')", "/etc/hostname"),
            ("import os; os.write(3, b'babble' * 100)", "too long"),
            ("import os; os._exit(4)", "ended"), ("raise ValueError('not today')", "not today"),
        ])
    func unfit(statement: String, reason: String) async throws {
        var limits = ZygotePool.Limits()
        limits.failures = 1
        let log = CapturedLog()
        try await withWarmBench(limits: limits, log: log) { bench in
            // Only a zygote runs the statement: it has the socket.
            try bench.prefect.write(
                "extra.py",
                "import os, stat\nVERSION = 1\nif os.path.exists('/proc/self/fd/3') and "
                    + "stat.S_ISSOCK(os.fstat(3).st_mode):\n    \(statement.replacing("\n", with: "\n    "))\n")
            #expect(try await bench.engine(["NAME": "first"]).code == 0)
            try await eventually("the reason is in the log") {
                log.messages().contains { $0.contains("without warm engines") && $0.contains(reason) }
            }
            #expect(try await bench.engine(["NAME": "second"]).code == 0)
            #expect(bench.starts == ["warm": 0, "cold": ["starting": 1, "failed": 1]])
        }
    }

    /// `WARM_RUNS` sets another number of runs, for a long test by hand.
    @Test("many runs leave no files, no processes and no memory behind")
    func many() async throws {
        let number = ProcessInfo.processInfo.environment["WARM_RUNS"].flatMap { Int($0) } ?? 100
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            let zygote = try await bench.waitForZygote()
            let isAlone = ProcessInfo.processInfo.environment["WARM_RUNS"] != nil
            func files() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0 }
            func used() async -> Int { await bench.backend.zygotes.memory }
            for _ in 0..<20 { _ = try await bench.engine(["NAME": "run"]) }
            let (before, memory) = (files(), await used())
            for _ in 0..<number { #expect(try await bench.engine(["NAME": "run"], arguments: "6").code == 6) }
            // Other tests of this process may open files at the same time.
            #expect(!isAlone || files() < before + 20)
            #expect(await used() < memory + (8 << 20))
            #expect(bench.runDirectories.isEmpty)
            let children = ProcessFacts.all().filter { $0.session == zygote || $0.parent == zygote }
            #expect(children.map(\.pid).filter { $0 != zygote }.isEmpty)
            #expect((bench.starts["warm"]?.intValue ?? 0) * 100 >= number * 90)
        }
    }

    @Test("a stop ends a warm run with everything that it has started")
    func stop() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            try await bench.waitForZygote()
            let job = try bench.job(["NAME": "second", "CHILD": "1", "WAIT_FOR": bench.directory.file("never")])
            let identifier = try await job.start()
            try await eventually("the run has written its facts") { (try? bench.facts("second")) != nil }
            try await job.stop(identifier, grace: .seconds(5), reason: .cancelled)
            #expect(try await job.wait(for: identifier).code == -15)
            #expect(processes(of: job.run.flowRunID).isEmpty)
        }
    }

    @Test("the next worker adopts a warm run by its identifier, or by its directory alone")
    func adoption() async throws {
        try await withWarmBench { bench in
            _ = try await bench.engine(["NAME": "first"])
            try await bench.waitForZygote()
            let job = try bench.job(["NAME": "second", "WAIT_FOR": bench.directory.file("go")])
            let identifier = try await job.start()
            let other = try Workbench(directory: bench.directory)
            let recovered = try await job.on(other.backend).recover(nil)
            #expect(recovered == .present(identifier))
            #expect(try await job.on(other.backend).recover(identifier) == .present(identifier))
            try bench.directory.write("go", "")
            // Both backends are in this process, so that either of them may learn the exit code.
            let codes = [
                try await job.wait(for: identifier).code, try await job.on(other.backend).wait(for: identifier).code,
            ]
            #expect(codes.contains(0))
        }
    }

    @Test("the check states whether the interpreter can have warm engines")
    func check() async throws {
        try await withWarmBench { bench in
            func detail() async throws -> String {
                let findings = await bench.backend.check().findings
                return try #require(findings.first { $0.subject == "warm engines" }).detail
            }
            #expect(try await detail().hasPrefix("possible with"))
            try bench.prefect.write("extra.py", "import signal\nsignal.signal(signal.SIGTERM, lambda *_: None)")
            let problem = try await detail()
            #expect(problem.contains("not possible") && problem.contains("signal handler"))
        }
    }

    @Test("with the mode off no zygote is started")
    func off() async throws {
        try await withWarmBench(mode: .off) { bench in
            for name in ["first", "second"] { _ = try await bench.engine(["NAME": name]) }
            #expect(bench.backend.activity == nil)
            #expect(await bench.backend.zygotes.processes.isEmpty)
        }
    }

    @Test("with the mode on there is a zygote before the first run, and after the end of each zygote another one")
    func on() async throws {
        var limits = ZygotePool.Limits()
        limits.copies = 1
        try await withWarmBench(mode: .on, limits: limits) { bench in
            var earlier: pid_t = 0
            for number in 1...3 {
                try await eventually("another zygote is ready") {
                    let next = await bench.backend.zygotes.processes.first
                    return next != nil && next != earlier
                }
                earlier = try await bench.waitForZygote()
                _ = try await bench.engine(["NAME": "run"])
                #expect(bench.starts == ["warm": .int(number), "cold": [:]])
            }
        }
    }
}
