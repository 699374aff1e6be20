internal import AWSAccess
internal import Logging
internal import PrefectJSON
internal import PrefectREST
internal import Synchronization

/// The queue to which EventBridge sends the changes of tasks. It only makes the watch faster: without the queue, or
/// without permission to read it, tasks are described at intervals.
///
/// Other workers may read the same queue. So only events of this worker's own tasks are deleted, and those that nobody
/// wanted for long.
final class TaskEventQueue: Sendable {
    /// Receives an event. Returns whether the task is one of the receiver's.
    typealias Receiver = @Sendable (TaskEvent) -> Bool

    private let client: AWSClient
    private let name: String
    private let logger: Logger
    private let state = Mutex<(receivers: [Int: Receiver], last: Int, isRead: Bool)>(([:], 0, false))

    /// The greatest number of messages in one request.
    private static let batch = 10
    /// The pause after a request that found fewer messages.
    private static let rest = Duration.seconds(2)
    /// For how long events that are done stay in the queue, which is shorter than the time for which they are hidden.
    private static let longestHold = Duration.seconds(10)
    /// For how long other readers do not see an event that this worker does not want.
    private static let visibility = 30
    /// How often an event is received before it is deleted although nobody wanted it.
    private static let mostReceptions = 5
    /// The time until a queue that cannot be read is tried again.
    private static let pause = Duration.seconds(600)

    init(_ client: AWSClient, name: String, logger: Logger) {
        self.client = client
        self.name = name
        self.logger = logger
    }

    /// Passes events on until the task is cancelled. One of several callers reads for all.
    func follow(_ receiver: @escaping Receiver) async {
        let (number, reads) = state.withLock { state in
            state.last += 1
            state.receivers[state.last] = receiver
            defer { state.isRead = true }
            return (state.last, !state.isRead)
        }
        if reads { await read() }
        while (try? await Task.sleep(for: .seconds(3600))) != nil {}
        state.withLock { state in
            state.receivers[number] = nil
            if reads { state.isRead = false }
        }
    }

    private func read() async {
        var wasRefused = false
        while !Task.isCancelled {
            do {
                let answer = try await client.json("GetQueueUrl", ["QueueName": .string(name)])
                guard let url = answer["QueueUrl"]?.stringValue else { return }
                logger.debug("The queue '\(name)' of task events is read")
                try await receive(from: url)
            } catch let failure as RequestFailure {
                if !failure.isTransient, !wasRefused {
                    wasRefused = true
                    logger.info(
                        "The queue '\(name)' of task events is not read (\(failure.message)). Tasks are described every 5 s"
                    )
                }
                try? await Task.sleep(for: failure.isTransient ? .seconds(30) : Self.pause)
            } catch {
                return
            }
        }
    }

    private func receive(from url: String) async throws {
        var done: [String] = []
        var oldest = ContinuousClock.now
        while true {
            let answer = try await client.json(
                "ReceiveMessage",
                [
                    "QueueUrl": .string(url), "MaxNumberOfMessages": .int(Self.batch), "WaitTimeSeconds": 20,
                    "VisibilityTimeout": .int(Self.visibility), "AttributeNames": ["ApproximateReceiveCount"],
                ])
            let messages = answer["Messages"]?.arrayValue ?? []
            if done.isEmpty { oldest = .now }
            done += messages.filter { isDone($0) }.compactMap { $0["ReceiptHandle"]?.stringValue }
            if done.count >= Self.batch || messages.isEmpty || oldest + Self.longestHold < .now {
                try await delete(done, from: url)
                done = []
            }
            // Several events together need no more requests than one.
            if messages.count < Self.batch { try await Task.sleep(for: Self.rest) }
        }
    }

    private func delete(_ handles: [String], from url: String) async throws {
        for start in stride(from: 0, to: handles.count, by: Self.batch) {
            let entries = handles[start...].prefix(Self.batch).enumerated().map { index, handle -> JSONValue in
                ["Id": .string("m\(index)"), "ReceiptHandle": .string(handle)]
            }
            _ = try await client.json("DeleteMessageBatch", ["QueueUrl": .string(url), "Entries": .array(entries)])
        }
    }

    /// Passes a message on, and returns whether it is of no use any more.
    private func isDone(_ message: JSONValue) -> Bool {
        guard let body = message["Body"]?.stringValue, let json = try? JSONValue(parsing: Array(body.utf8)) else {
            return true
        }
        let count = message["Attributes"]?["ApproximateReceiveCount"]?.stringValue.flatMap { Int($0) } ?? 1
        guard let event = TaskEvent(json) else { return count >= Self.mostReceptions }
        let receivers = state.withLock { Array($0.receivers.values) }
        let isOwn = receivers.reduce(false) { $1(event) || $0 }
        return isOwn || count >= Self.mostReceptions
    }
}
