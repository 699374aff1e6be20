public import BackendKit
public import PrefectJSON

/// A backend whose conformance is checked, with the infrastructure that it runs on.
///
/// The suite makes several backends for one subject, as successive processes of one worker do. They share the state
/// directory and the infrastructure.
public protocol ConformanceSubject: Sendable {
    /// The backend.
    var backend: any Backend.Type { get }

    /// The worker for which a backend is made. Its environment names the infrastructure. The suite sets the sink.
    var host: BackendHost { get }

    /// The job variables of a run, besides `command` and `env`: an image, a namespace, …
    var jobVariables: JSONValue { get }

    /// The behaviour that the infrastructure permits.
    var expectations: ConformanceExpectations { get }
}

extension ConformanceExpectations {
    /// Whether a run whose command ended with a code has been reported properly.
    func accepts(_ status: ExitStatus, code: Int) -> Bool {
        status.code == code || !reportsCodes && code != 0 && status.code != 0
    }
}

extension ConformanceSubject {
    /// Always empty: the defaults of the template are enough.
    public var jobVariables: JSONValue { [:] }

    /// The default expectations.
    public var expectations: ConformanceExpectations { ConformanceExpectations() }
}

/// The behaviour of a backend that depends on its infrastructure.
public struct ConformanceExpectations: Sendable {
    /// Whether the exit code of a run that failed is known. Otherwise any code except 0 counts.
    public var reportsCodes = true
    /// Whether a later process learns the exit code of a run that an earlier process has started.
    public var reportsCodeToLaterProcess: Bool
    /// Whether the exit code of a run that is stopped is known.
    public var reportsCodeOfStopped: Bool
    /// Whether the backend prints the output of a run while `Workload.streamsOutput` is true.
    public var printsOutput: Bool
    /// Job variables that the backend must refuse, besides those of the subject.
    public var refusedJobVariables: [JSONValue]
    /// How long the infrastructure may take until a script has begun.
    public var beginning: Duration
    /// The time limit for one step of a case.
    public var timeLimit: Duration

    /// Expectations. The defaults are those of infrastructure that keeps the exit code of each run.
    public init(
        reportsCodeToLaterProcess: Bool = true, reportsCodeOfStopped: Bool = true, printsOutput: Bool = true,
        refusedJobVariables: [JSONValue] = [], beginning: Duration = .seconds(2), timeLimit: Duration = .seconds(120)
    ) {
        self.reportsCodeToLaterProcess = reportsCodeToLaterProcess
        self.reportsCodeOfStopped = reportsCodeOfStopped
        self.printsOutput = printsOutput
        self.refusedJobVariables = refusedJobVariables
        self.beginning = beginning
        self.timeLimit = timeLimit
    }
}

/// The error of a case that a backend does not meet.
public struct ConformanceFailure: Error, CustomStringConvertible {
    /// The expected and the actual behaviour, in one line.
    public let description: String

    init(_ description: String) { self.description = description }
}
