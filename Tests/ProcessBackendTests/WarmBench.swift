import BackendKit
import BackendKitTesting
import Foundation
import PrefectFiles
import PrefectJSON
import TestSupport
import Testing

@testable import ProcessBackend

/// A package `prefect` whose engine writes down what it finds. So a test needs neither Prefect nor a server.
struct FakePrefect {
    /// The facts that each run has for itself.
    static let ownFacts = [
        "name", "pid", "cwd", "argv", "random", "temporary", "authkey", "environ", "same", "path",
    ]

    let directory: String

    init(in directory: String) throws {
        self.directory = directory
        let empty = ["main.py", "flow_engine.py"]
        for name in empty { try write(name, "") }
        try write(
            "__init__.py",
            """
            import os, sys
            from . import extra
            READ = os.environ.get("READ_AT_IMPORT")
            SPOILED = False
            print("imported", file=sys.stderr)
            """)
        try write("extra.py", "VERSION = 1")
        try write("../prefect-3.8.8.dist-info/METADATA", "Metadata-Version: 2.1\nName: prefect\nVersion: 3.8.8\n")
        try write(
            "settings.py",
            """
            class Settings:
                profiles_path = "/nowhere/profiles.toml"
                class logging:
                    config_path = None
            def get_current_settings():
                return Settings
            """)
        // Like Prefect's own engine, it does nothing when it is only imported.
        try write(
            "engine.py", "if __name__ == '__main__':\n    " + Self.engine.replacing("\n", with: "\n    "))
    }

    func write(_ name: String, _ text: String) throws {
        let file = URL(filePath: "\(directory)/prefect/\(name)").standardized
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    private static let engine = """
        import json, locale, multiprocessing.process, os, random, signal, subprocess, sys, tempfile, threading, time
        import resource
        import prefect

        name = os.environ["NAME"]
        main = sys.modules["__main__"]
        with open("/proc/self/environ", "rb") as file:
            entries = [entry.decode() for entry in file.read().split(b"\\0") if entry]
        environ = dict(entry.split("=", 1) for entry in entries)
        with open("/proc/self/cmdline", "rb") as file:
            words = [word.decode() for word in file.read().split(b"\\0") if word]
        with open("/proc/self/status") as file:
            status = dict(line.rstrip("\\n").split(":", 1) for line in file)
        facts = {
            "name": name,
            "pid": os.getpid(),
            "parent": os.getppid(),
            "leads": os.getpgrp() == os.getpid() == os.getsid(0),
            "cwd": os.getcwd(),
            "file": main.__file__,
            "argv": getattr(sys, "orig_argv", [name]),
            "words": len(words) and words[-2:],
            "names": sorted(key for key in vars(main) if key.startswith("__")),
            "spec": str(main.__spec__ and main.__spec__.name),
            "package": main.__package__,
            "path": sys.path,
            "flags": str(sys.flags),
            "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding, sys.stderr.errors, locale.getlocale()],
            "streams": [sys.stdout.line_buffering, sys.stdout.isatty(), sys.stdin.fileno(), sys.stderr.line_buffering],
            "descriptors": sorted(fd for fd in range(100) if os.path.exists("/proc/self/fd/%d" % fd)),
            "umask": os.umask(0o77),
            "limits": [resource.getrlimit(resource.RLIMIT_NOFILE), resource.getrlimit(resource.RLIMIT_CORE)],
            "signals": [str(signal.getsignal(number)) for number in range(1, 32) if number not in (9, 19)],
            "masks": [status[key].strip() for key in ("SigBlk", "SigIgn", "SigCgt")],
            "capabilities": status["CapEff"].strip(),
            "cpus": status["Cpus_allowed_list"].strip(),
            "command": status["Name"].strip(),
            "nice": os.nice(0),
            "threads": [threading.active_count(), threading.main_thread().native_id == os.getpid()],
            "environ": {key: environ[key] for key in sorted(environ)},
            "same": {key: value for key, value in os.environ.items() if environ.get(key) != value},
            "read": prefect.READ,
            "version": prefect.extra.VERSION,
            "spoiled": prefect.SPOILED,
            "random": random.random(),
            "temporary": tempfile.mktemp(),
            "authkey": multiprocessing.process.current_process().authkey.hex(),
            "original": multiprocessing.process.ORIGINAL_DIR == os.getcwd(),
            "recursion": sys.getrecursionlimit(),
            "hook": str(sys.excepthook),
            "tracing": [sys.gettrace() is None, sys.getprofile() is None],
            "secret": os.environ.get("SECRET"),
            "zone": time.tzname,
        }
        if facts["secret"] is None:
            del facts["secret"]
        if "SPOIL" in os.environ:
            prefect.SPOILED = True
            sys.modules["json"] = None
            os.environ["SECRET"] = "changed"
            random.seed(1)
        if "CHILD" in os.environ:
            subprocess.Popen(["sleep", "600"], start_new_session=True)
        temporary = os.environ["T"] + "/" + name + ".new"
        with open(temporary, "w") as file:
            file.write(json.dumps(facts))
        os.rename(temporary, os.environ["T"] + "/" + name + ".json")
        print(name)
        while "WAIT_FOR" in os.environ and not os.path.exists(os.environ["WAIT_FOR"]):
            time.sleep(0.02)
        sys.exit(int(os.environ.get("STATUS", "0")))
        """
}

/// The interpreters of this machine, from Python 3.9 on.
enum Pythons {
    static let all: [String] = {
        let environment = ProcessInfo.processInfo.environment
        let root = environment["PYENV_ROOT"] ?? "\(environment["HOME"] ?? "")/.pyenv"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "\(root)/versions")) ?? []
        let directories = versions.sorted().map { "\(root)/versions/\($0)/bin" } + ["/usr/local/bin", "/usr/bin"]
        return directories.flatMap { directory in (9...20).map { "\(directory)/python3.\($0)" } }
            .filter { FileManager.default.isExecutableFile(atPath: $0) }
    }()
}

/// A backend whose engines may be warm.
struct WarmBench: Sendable {
    let bench: Workbench
    let prefect: FakePrefect
    let log: CapturedLog

    var backend: ProcessBackend { bench.backend }
    var directory: TemporaryDirectory { bench.directory }
    var output: RecordingSink { bench.output }
    var errors: RecordingSink { bench.errors }
    /// The starts of engines so far.
    var starts: JSONValue {
        var starts = backend.starts.json
        starts["zygotes"] = nil
        return starts
    }
    var runDirectories: [String] { bench.runDirectories }

    func job(
        _ variables: [String: String], arguments status: String = "0", workingDirectory: String? = nil
    ) throws -> ProcessWorkload {
        let id = UUID().uuidString.lowercased()
        var env = ["STATUS": status, "T": directory.path, "PREFECT__FLOW_RUN_ID": id]
        env.merge(variables) { $1 }
        var inherited = backend.options.environment
        inherited["T"] = nil
        return try bench.engineJob(
            env: inherited.merging(env) { $1 }, workingDirectory: workingDirectory, flowRunID: id)
    }

    /// Runs an engine to its end, and removes what is left of it.
    @discardableResult
    func engine(
        _ variables: [String: String], arguments status: String = "0", workingDirectory: String? = nil
    ) async throws -> BackendKit.ExitStatus {
        let job = try job(variables, arguments: status, workingDirectory: workingDirectory)
        let identifier = try await job.start()
        let result = try await job.wait(for: identifier)
        _ = await backend.flushOutput(within: .seconds(10))
        await job.cleanUp(identifier)
        return result
    }

    /// The facts that a run has written down.
    func facts(_ name: String) throws -> JSONValue {
        try JSONValue(parsing: [UInt8](Data(contentsOf: URL(filePath: directory.file("\(name).json")))))
    }

    /// A directory with these files.
    func project(_ files: [String: String]) throws -> String {
        let place = directory.file("project")
        for (name, text) in files {
            let path = URL(filePath: "\(place)/\(name)")
            try FileManager.default.createDirectory(
                at: path.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: path)
        }
        return place
    }

    /// Waits until there is a zygote, and returns its pid.
    @discardableResult
    func waitForZygote() async throws -> pid_t {
        do {
            try await eventually(within: .seconds(30), "a zygote is ready, or the log says why not") {
                await !backend.zygotes.processes.isEmpty || log.messages().contains { $0.contains("without warm") }
            }
        } catch {
            Issue.record("\(error), and the log is \(log.messages())")
        }
        #expect(log.messages().filter { $0.contains("without warm") } == [])
        return try #require(await backend.zygotes.processes.last)
    }

    /// The memory of a process that it can write.
    func memory(of pid: pid_t) throws -> [UInt8] {
        let maps = try #require(
            Descriptor(owning: open("/proc/\(pid)/maps", O_RDONLY | O_CLOEXEC)).flatMap {
                readBytes($0, limit: 1 << 20)
            })
        let file = open("/proc/\(pid)/mem", O_RDONLY | O_CLOEXEC)
        try #require(file >= 0)
        defer { close(file) }
        var bytes: [UInt8] = []
        for line in String(decoding: maps, as: UTF8.self).split(separator: "\n") where line.contains(" rw") {
            let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { Int($0, radix: 16) }
            guard ends.count == 2 else { continue }
            var part = [UInt8](repeating: 0, count: ends[1] - ends[0])
            let count = pread(file, &part, part.count, ends[0])
            if count > 0 { bytes += part[..<count] }
        }
        return bytes
    }
}

/// Runs a backend with warm engines while `body` runs. `before` runs first, while the backend does not.
func withWarmBench(
    mode: WarmEngines = .auto, python: String? = nil, limits: ZygotePool.Limits = .init(),
    log: CapturedLog = CapturedLog(), before: (WarmBench) async throws -> Void = { _ in },
    _ body: (WarmBench) async throws -> Void
) async throws {
    let directory = try TemporaryDirectory()
    let prefect = try FakePrefect(in: directory.file("packages"))
    let environment = [
        "PATH": Workbench.path, "PYTHONPATH": prefect.directory, "HOME": directory.path, "LANG": "C.UTF-8",
    ]
    let bench = try Workbench(directory: directory, interpreter: python, environment: environment) { options in
        options.warmEngines = mode
        options.zygotes = limits
        options.examinesWarmEngines = true
        options.logger = log.logger
    }
    let warm = WarmBench(bench: bench, prefect: prefect, log: log)
    try await before(warm)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { await bench.backend.run() }
        try await body(warm)
        group.cancelAll()
    }
}

extension [UInt8] {
    /// Whether the bytes contain a text. Foundation's search is too slow for the memory of a process.
    func contains(text: String) -> Bool {
        let wanted = Array(text.utf8)
        return withUnsafeBytes { bytes in
            guard let first = wanted.first, var position = bytes.baseAddress else { return false }
            let end = position + bytes.count
            while end - position >= wanted.count,
                let found = memchr(position, Int32(first), end - position - wanted.count + 1)
            {
                if memcmp(found, wanted, wanted.count) == 0 { return true }
                position = UnsafeRawPointer(found) + 1
            }
            return false
        }
    }
}
