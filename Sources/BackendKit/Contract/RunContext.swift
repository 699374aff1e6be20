/// One flow run for which a backend makes a workload: its identity and its reporter.
public struct RunContext: Sendable {
    /// The flow run's id.
    public let flowRunID: String
    /// The flow run's name.
    public let flowRunName: String
    /// The id of the worker's claim on the flow run, which no other attempt at the run has. It stays the same after a
    /// restart of the worker.
    public let claimID: String
    /// The deployment that the flow's code can be loaded from, if there is one.
    public let deploymentID: String?
    /// The destination of messages for the run's owner.
    public let reporter: any JobReporter

    /// A flow run.
    public init(
        flowRunID: String, flowRunName: String, claimID: String, deploymentID: String?, reporter: any JobReporter
    ) {
        self.flowRunID = flowRunID
        self.flowRunName = flowRunName
        self.claimID = claimID
        self.deploymentID = deploymentID
        self.reporter = reporter
    }
}
