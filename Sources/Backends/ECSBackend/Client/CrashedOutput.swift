internal import AWSAccess
internal import Logging
internal import PrefectConcurrency
internal import PrefectJSON

/// The last lines of a task that crashed, which its log driver has sent to CloudWatch.
struct CrashedOutput: Sendable {
    /// A client of CloudWatch Logs in a region.
    let logs: @Sendable (_ region: String) -> AWSClient
    let definitions: Definitions
    /// The greatest number of lines; 0 for none.
    let lines: Int
    let logger: Logger

    /// The largest size of all lines together, in bytes.
    private static let most = 64 << 10

    /// The lines; `nil` when there are none, or when they cannot be read.
    func lines(of status: TaskStatus) async -> String? {
        guard lines > 0, status.containers.contains(where: { $0.exitCode != nil }) else { return nil }
        do {
            return try await withDeadline(.seconds(15), for: "the log of the task") { try await read(status) }
        } catch {
            logger.debug("The log of '\(status.arn)' cannot be read: \(error)")
            return nil
        }
    }

    private func read(_ status: TaskStatus) async throws -> String? {
        let definition = try await definitions.describe(status.definitionARN)
        let container = status.judged.first { $0.exitCode != 0 } ?? status.judged.first
        let described = definition["containerDefinitions"]?.arrayValue?.first {
            $0["name"]?.stringValue == container?.name
        }
        let log = described?["logConfiguration"]
        guard log?["logDriver"] == "awslogs", let options = log?["options"], let container,
            let group = options["awslogs-group"]?.stringValue, let region = options["awslogs-region"]?.stringValue,
            let prefix = options["awslogs-stream-prefix"]?.stringValue
        else { return nil }
        let id = status.arn.split(separator: "/").last ?? ""
        let answer = try await logs(region).json(
            "GetLogEvents",
            [
                "logGroupName": .string(group), "logStreamName": .string("\(prefix)/\(container.name)/\(id)"),
                "limit": .int(lines), "startFromHead": false,
            ])
        let text = (answer["events"]?.arrayValue ?? []).compactMap { $0["message"]?.stringValue }
            .joined(separator: "\n")
        guard text.contains(where: { !$0.isWhitespace }) else { return nil }
        return text.utf8.count > Self.most ? String(decoding: text.utf8.suffix(Self.most), as: UTF8.self) : text
    }
}
