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
            findings.append(await checkInterpreter(path, in: directory))
        }
        await offThread { directory.remove() }
        return BackendReport(findings: findings)
    }

    /// Checks whether the interpreter finds Prefect. Prefect is not imported, because that takes seconds.
    private func checkInterpreter(_ path: String, in directory: RunDirectory) async -> BackendReport.Finding {
        func finding(_ detail: String, isGood: Bool) -> BackendReport.Finding {
            BackendReport.Finding(subject: "Python", detail: detail, isGood: isGood)
        }
        let program = """
            import importlib.util, sys
            if importlib.util.find_spec("prefect") is None: sys.exit(3)
            from importlib.metadata import version
            print(version("prefect"))
            """
        do {
            let child = try Launcher.spawn(
                Launcher.Request(
                    executable: try ExecutableLookup.resolve(path, path: nil, directory: directory.work),
                    arguments: [path, "-c", program], environment: options.environment, directory: directory.work,
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
                let output = directory.readOutput("stdout", limit: 64) ?? []
                let version = String(decoding: output, as: UTF8.self).filter { !$0.isWhitespace }
                guard version.first?.isNumber == true else {
                    return finding(
                        "\(path) is not a Python interpreter: it did not print the version of Prefect; "
                            + Interpreter.remedy, isGood: false)
                }
                return finding("\(path) has Prefect \(version)", isGood: true)
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
}
