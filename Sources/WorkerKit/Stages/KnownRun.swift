internal import FoundationEssentials
internal import OrderedCollections
package import PrefectClient
package import PrefectJSON

/// A flow run as the worker knows it: the API's record. A run that was deleted or cannot be read has only its id and its
/// name.
package struct KnownRun: Sendable, Hashable {
    /// The record, for templates that refer to any member of it.
    package private(set) var record: FlowRun
    /// The reason why the run could not be read, in one line, if only its id is known.
    let unreadable: String?

    /// A run that was read.
    package init(_ record: FlowRun) {
        self.record = record
        unreadable = nil
    }

    /// A run of which only the id and name are known.
    init(id: String, name: String, unreadable: String? = nil) {
        record = FlowRun(unchecked: ["id": .string(id), "name": .string(name)])
        self.unreadable = unreadable
    }

    private func text(_ member: String) -> String? { record[member]?.stringValue }

    /// The run's id.
    package var id: String { text("id") ?? "" }
    /// The run's id for a request.
    var uuid: UUID { get throws(APIError) { try UUID(id: id) } }
    /// The run's name.
    package var name: String { text("name") ?? id }
    /// The flow's id.
    var flowID: String { text("flow_id") ?? "" }
    /// The deployment's id, when the run belongs to one.
    package var deploymentID: String? { text("deployment_id") }
    /// The run's tags.
    var tags: [String] { record.tags }
    /// The type of the run's state; empty when the API did not send it.
    package var stateType: StateType { record.stateType ?? state?.type ?? "" }
    /// The name of the run's state: `Scheduled`, `Late`, `AwaitingRetry`, ….
    package var stateName: String { record.stateName ?? state?.name ?? "" }
    /// When the run should start.
    package var expectedStartTime: Timestamp? { record.nextScheduledStartTime ?? record.expectedStartTime }
    /// The identifier of the infrastructure that was recorded for the run.
    var infrastructurePID: String? { record.infrastructurePID }
    /// Job variables that were set for this run alone.
    package var jobVariables: JSONValue { .object(record.jobVariables ?? [:]) }
    /// The state with its details, if the route returns it.
    var state: State? { record.state }
    /// The id of the transition that brought the run into its state, if the route returns it.
    var transitionID: String? { state?.transitionID }
    /// The labels that workers and other clients have added to the run.
    var labels: JSONObject { record.labels }
    /// Whether the run has ended.
    package var isFinal: Bool { stateType.isFinal }

    /// A copy of the run in another of its states.
    func inState(_ state: State) -> KnownRun {
        var run = self
        run.record.stateType = state.type
        run.record.stateName = state.shownName
        run.record.state = state
        return run
    }

    /// A copy without the members from which only the run's job is made, such as its parameters. It keeps the labels.
    var outline: KnownRun {
        var members: JSONObject = ["id": .string(id), "name": .string(name)]
        for name in Self.outlined { members[name] = record[name].flatMap { $0.isNull ? nil : $0 } }
        return KnownRun(FlowRun(unchecked: members), unreadable: unreadable)
    }

    private static let outlined = [
        "labels", "deployment_id", "flow_id", "infrastructure_pid", "expected_start_time", "next_scheduled_start_time",
    ]

    private init(_ record: FlowRun, unreadable: String?) {
        self.record = record
        self.unreadable = unreadable
    }
}
