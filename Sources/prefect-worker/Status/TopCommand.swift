import ArgumentParser
import Glibc
import PrefectJSON
import WorkerKit

/// `prefect-worker top`: shows the running workers of this host, live in a terminal.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Show the running workers of this host, live in a terminal.",
        discussion: "The screen is renewed every two seconds. The keys q and Ctrl-C quit.")

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions
    @OptionGroup var selection: WorkerSelection

    private enum Event: Sendable {
        case screen(LiveScreen.Event)
        /// The answers of the workers.
        case answers([Answer])
    }

    private enum Answer: Sendable {
        case report(JSONValue)
        case problem(String)
    }

    private static let interval: Duration = .seconds(2)

    func run() async throws {
        guard LiveScreen.isAvailable else {
            throw Refusal("top needs a terminal for its keys and its output; use 'prefect-worker status' elsewhere")
        }
        let settings = try common.loadSettings(rootProfile: root.profile)
        let selected = try await selection.select(settings, canBeSeveral: true)
        let silent = selected.silent.map { Answer.problem($0.description) }
        if selected.workers.isEmpty, let refusal = selected.silent.first { throw refusal }
        let (events, event) = AsyncStream.makeStream(of: Event.self, bufferingPolicy: .bufferingNewest(64))
        let screen = LiveScreen { event.yield(.screen($0)) }
        screen.enter()
        defer { screen.close() }
        let signal = await withTaskGroup(of: Void.self) { group in
            group.addTask {
                while !Task.isCancelled {
                    event.yield(.answers(await Self.ask(selected.workers) + silent))
                    try? await Task.sleep(for: Self.interval)
                }
            }
            defer { group.cancelAll() }
            return await Self.follow(events, on: screen)
        }
        // Ctrl-C is the usual way to quit.
        if let signal, signal != SIGINT { throw ExitCode(128 + signal) }
    }

    private static func ask(_ workers: [RunningWorker]) async -> [Answer] {
        var answers: [Answer] = []
        for worker in workers {
            do {
                answers.append(.report(try await worker.currentStatus()))
            } catch {
                answers.append(.problem("\(error)"))
            }
        }
        return answers
    }

    /// Draws until the user quits, or until a signal ends the command. Returns the signal.
    private static func follow(_ events: AsyncStream<Event>, on screen: LiveScreen) async -> Int32? {
        var answers: [Answer] = []
        for await event in events {
            switch event {
            case .answers(let new): answers = new
            case .screen(.key(UInt8(ascii: "q"))), .screen(.key(UInt8(ascii: "Q"))), .screen(.key(3)),
                .screen(.closed):
                return nil
            case .screen(.ended(let signal)): return signal
            case .screen(.suspended), .screen(.key(26)): screen.suspend()
            case .screen(.key): continue
            case .screen(.resized): break
            }
            screen.draw(lines(of: answers, LiveScreen.size))
        }
        return nil
    }

    /// The lines that fit the terminal, with a reminder of the keys in the last one.
    private static func lines(of answers: [Answer], _ size: (columns: Int, rows: Int)) -> [String] {
        let lines = answers.flatMap { answer in
            switch answer {
            case .report(let report): StatusText(report: report, width: size.columns).lines + [""]
            case .problem(let problem): TextColumns.wrap(problem, to: size.columns, indent: 0) + [""]
            }
        }
        let room = max(0, size.rows - 1)
        let shown = Array(lines.prefix(room)) + Array(repeating: "", count: max(0, room - lines.count))
        let hidden = lines.count - 1 - room
        let more = hidden > 0 ? "; \(hidden) more lines in a higher window" : ""
        return shown + [TextColumns.cut("q quits\(more)", to: size.columns)]
    }
}
