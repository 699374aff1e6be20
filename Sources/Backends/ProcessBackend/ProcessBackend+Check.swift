public import BackendKit
internal import Glibc
internal import PrefectFiles

extension ProcessBackend {
    /// Checks whether runs can have directories, and whether the interpreter finds Prefect.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        var findings: [BackendReport.Finding] = []
        let directory: RunDirectory
        do {
            directory = try RunDirectory.created(under: runDirectories, flowRunID: "check", maker: tag)
            findings.append(
                .init(subject: "run directories", detail: "made in \(runDirectories)", isGood: true))
        } catch {
            return BackendReport(findings: [
                .init(subject: "run directories", detail: error.message, isGood: false)
            ])
        }
        switch interpreter {
        case .none:
            findings.append(
                .init(
                    subject: "Python", detail: "disabled: every job must set its own command", isGood: true))
        case .missing(let message):
            findings.append(.init(subject: "Python", detail: message, isGood: false))
        case .python(let path):
            let (finding, facts) = await checkInterpreter(path, in: directory)
            findings.append(finding)
            if options.examinesWarmEngines, finding.isGood { findings += await examine(path, facts) }
        }
        await offThread { directory.remove() }
        return BackendReport(findings: findings)
    }

    /// Checks whether the interpreter finds Prefect. Prefect is not imported, because that takes seconds.
    private func checkInterpreter(
        _ path: String, in directory: RunDirectory
    ) async -> (BackendReport.Finding, InterpreterFacts?) {
        func finding(
            _ detail: String, isGood: Bool, facts: InterpreterFacts? = nil
        ) -> (BackendReport.Finding, InterpreterFacts?) {
            (BackendReport.Finding(subject: "Python", detail: detail, isGood: isGood), facts)
        }
        let program = """
            import importlib.util, sys
            spec = importlib.util.find_spec("prefect")
            if spec is None: sys.exit(3)
            from importlib.metadata import version
            print(version("prefect"))

            """
        let examination = """
            import os, ssl
            cache = importlib.util.cache_from_source(spec.origin or "")
            print(os.path.exists(cache) or os.access(os.path.dirname(spec.origin or ""), os.W_OK))
            try:
                import certifi
                file = os.environ.get("SSL_CERT_FILE") or certifi.where()
                with open(file) as text: print(text.read().count("BEGIN CERTIFICATE"), ssl.OPENSSL_VERSION_INFO[0], file)
            except Exception: print("0 0 -")
            """
        do {
            let child = try Launcher.spawn(
                Launcher.Request(
                    executable: try ExecutableLookup.resolve(path, path: nil, directory: directory.work),
                    arguments: [path, "-c", options.examinesWarmEngines ? program + examination : program],
                    environment: options.environment, directory: directory.work,
                    output: directory.createOutput("stdout"), errors: directory.createOutput("stderr")))
            let key = SupervisedProcess.Key(pid: child.pid, startTime: child.startTime)
            try await supervisor.supervise(
                child, marks: SupervisedProcess.Marks(directory: directory.path, flowRunID: ""), directory: directory,
                streams: nil, streamsOutput: false, name: "check", controlToken: nil)
            let status: ExitStatus?
            do {
                status = try await supervisor.waitForEnd(key, until: .now + options.checkTimeLimit)
            } catch {
                // The worker shuts down, and the interpreter must not outlive it.
                kill(-child.pid, SIGKILL)
                throw error
            }
            if status == nil { try await supervisor.stop(key, grace: .zero, reason: .shutdown) }
            _ = await supervisor.forget(key)
            switch status?.code {
            case 0?:
                let output = String(decoding: directory.readOutput("stdout", limit: 8192) ?? [], as: UTF8.self)
                let lines = output.split(separator: "\n").map(String.init)
                guard let version = lines.first?.filter({ !$0.isWhitespace }), version.first?.isNumber == true else {
                    return finding(
                        "\(path) is not a Python interpreter: it did not print the version of Prefect; "
                            + Interpreter.remedy, isGood: false)
                }
                return finding("\(path) has Prefect \(version)", isGood: true, facts: InterpreterFacts(lines))
            case 3?:
                return finding("\(path) does not find the package prefect; \(Interpreter.remedy)", isGood: false)
            case let code?:
                let errors = directory.readOutput("stderr", limit: 8192) ?? []
                let detail = OutputFollower.lastLines(of: errors, isCut: false, count: 1).map { ": \($0)" } ?? ""
                return finding("\(path) ended with status \(code)\(detail); \(Interpreter.remedy)", isGood: false)
            case nil:
                return finding(
                    "\(path) did not answer within \(options.checkTimeLimit); check whether the host is overloaded",
                    isGood: false)
            }
        } catch let error as InfrastructureError {
            return finding(error.message, isGood: false)
        } catch {
            return finding("the check of \(path) was interrupted", isGood: false)
        }
    }

    /// Examines what makes the start of runs fast or slow. None of it prevents a run.
    private func examine(_ path: String, _ facts: InterpreterFacts?) async -> [BackendReport.Finding] {
        var findings: [BackendReport.Finding] = []
        func add(_ subject: String, _ detail: String, isGood: Bool = true) {
            findings.append(.init(subject: subject, detail: detail, isGood: isGood, isPartial: true))
        }
        if let reason = await zygotes.examine() {
            add("warm engines", "not possible with \(path): \(reason). Each run imports Prefect for itself")
        } else {
            add("warm engines", "possible with \(path), see --warm-engines")
        }
        guard let facts else { return findings }
        if !facts.hasCaches {
            add(
                "compiled modules",
                "Prefect has no compiled modules and its directory cannot be written, so that each run takes seconds more; "
                    + "run \(path) -m compileall on its site-packages as their owner", isGood: false)
        }
        if facts.authorities > 20, facts.openSSL >= 3 {
            add(
                "certificates",
                "\(facts.authorities) authorities in \(facts.authorityFile): each TLS context of a run takes about 25 ms to "
                    + "read them; SSL_CERT_FILE may name a file with those that runs need")
        }
        return findings
    }
}

/// The facts of an interpreter that make the start of runs fast or slow.
private struct InterpreterFacts {
    /// Whether the modules of Prefect are compiled, or will be by the first run.
    var hasCaches: Bool
    /// The number of certificate authorities that a TLS context of a run reads.
    var authorities: Int
    /// The major version of OpenSSL.
    var openSSL: Int
    var authorityFile: String

    /// Reads what the check of an interpreter prints after the version.
    init?(_ lines: [String]) {
        guard lines.count == 3 else { return nil }
        let words = lines[2].split(separator: " ", maxSplits: 2)
        guard words.count == 3, let authorities = Int(words[0]), let openSSL = Int(words[1]) else { return nil }
        hasCaches = lines[1] == "True"
        self.authorities = authorities
        self.openSSL = openSSL
        authorityFile = String(words[2])
    }
}
