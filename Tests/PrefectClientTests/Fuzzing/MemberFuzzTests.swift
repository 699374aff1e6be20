import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@Suite("Fuzzed answers to all members of the client", .timeLimit(.minutes(Fuzz.minutes)))
struct MemberFuzzTests {
    private static let vectors = Vector.all.filter { vector in
        !vector.responses.isEmpty && VectorTable.calls[vector.member] != nil
    }

    @Test("each member decodes a changed answer or fails with an error of one line")
    func members() async throws {
        let answers = ScriptedAnswers()
        let client = try answers.client()
        try await Fuzz.run(mostCases: 2000) { random in
            let vector = random.pick(Self.vectors)
            let call = try #require(VectorTable.calls[vector.member])
            let changed = vector.responses.map { random.changed($0) }
            // A member that reads page by page gets the last answer again, but not for ever.
            answers.play { $0 < 20 ? changed[min($0, changed.count - 1)] : nil }
            do {
                guard case .value(let value) = try await call(client, vector.arguments) else { return }
                _ = value.serialized()
                Self.read(value)
            } catch let error as APIError {
                let text = "\(error)"
                try Fuzz.require(!text.contains("\n") && text.utf8.count < 4000, "\(vector.id): \(text)")
            } catch let error as ServerVersionError {
                try Fuzz.require(!error.description.contains("\n"), "\(vector.id): \(error)")
            } catch is VectorRefusal {
                return
            }
        }
    }

    /// Reads members of all kinds of records. A getter gives a value, whatever the JSON is.
    private static func read(_ value: JSONValue) {
        for element in value.arrayValue?.prefix(3).map({ $0 }) ?? [value] {
            guard let members = element.objectValue else { continue }
            let run = FlowRun(unchecked: members)
            _ = (run.id, run.expectedStartTime, run.totalRunTime, run.state?.stateDetails, run.labels, run.runCount)
            let log = Log(unchecked: members)
            _ = (log.level, log.timestamp, log.message, log.flowRunID)
            let artifact = Artifact(unchecked: members)
            _ = (artifact.data, artifact.metadata, artifact.key)
            let document = BlockDocument(unchecked: members)
            _ = (document.data, document.blockDocumentReferences, document.blockSchema?.fields, document.isAnonymous)
            let limit = GlobalConcurrencyLimit(unchecked: members)
            _ = (limit.limit, limit.slotDecayPerSecond, limit.activeSlots)
            _ = ConcurrencyLease(unchecked: members).limits
            let automation = Automation(unchecked: members)
            _ = (automation.trigger, automation.actions, automation.actionsOnResolve, automation.tags)
            let pool = WorkPool(unchecked: members)
            _ = (pool.concurrencyLimit, pool.status, pool.storageConfiguration)
            let deployment = Deployment(unchecked: members)
            _ = (deployment.schedules, deployment.globalConcurrencyLimit, deployment.concurrencyOptions)
            _ = (EventPage(unchecked: members).events, Workspace(unchecked: members).workspaceID)
            _ = OrchestrationResult(unchecked: members).details
        }
    }
}

extension FuzzRandom {
    /// An answer like a recorded one, with changes.
    fileprivate mutating func changed(_ response: JSONValue) -> APITransportAnswer {
        let statuses = [200, 200, 201, 204, 307, 400, 404, 409, 422, 423, 500, 503]
        let status = oneIn(8) ? pick(statuses) : response["status"]?.intValue ?? 200
        let body = response["body"].map { spoiled($0) } ?? damaged(response["text"]?.stringValue ?? "")
        return APITransportAnswer(
            status: status, headers: [("Content-Type", "application/json")], body: oneIn(30) ? [] : Array(body.utf8))
    }
}
