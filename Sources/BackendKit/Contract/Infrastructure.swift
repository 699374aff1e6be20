public import PrefectJSON

/// The name under which a later process finds existing infrastructure again.
public struct InfrastructureIdentifier: Sendable, Hashable, CustomStringConvertible {
    /// The form that the API stores as `infrastructure_pid`, the same as the Python worker's.
    public let rawValue: String
    /// Further data that the backend needs to find the infrastructure in a later process and to verify its identity; an
    /// object.
    public let handle: JSONValue

    /// An identifier.
    public init(rawValue: String, handle: JSONValue = [:]) {
        self.rawValue = rawValue
        self.handle = handle
    }

    /// The identifier as the API receives it.
    public var description: String { rawValue }
}

/// How infrastructure ended.
public struct ExitStatus: Sendable, Hashable {
    /// The exit code; a signal's number is negative. `nil` when it is unknown because the end was not observed.
    public let code: Int?
    /// The report of the flow's process about the run's outcome, if it could report before it ended.
    public let conclusion: Conclusion?
    /// The last lines that the infrastructure wrote to standard error, for the explanation of a crash.
    public let lastOutput: String?
    /// The reason that the infrastructure itself states, such as a memory limit.
    public let reason: String?

    /// A report of a flow's process about its run.
    public enum Conclusion: Sendable, Hashable {
        /// The process has set the run's state itself, to a state of this type.
        case stateReported(type: String, name: String)
        /// The API instructed the process not to continue the run.
        case abortedByAPI
    }

    /// An exit status.
    public init(code: Int?, conclusion: Conclusion? = nil, lastOutput: String? = nil, reason: String? = nil) {
        self.code = code
        self.conclusion = conclusion
        self.lastOutput = lastOutput
        self.reason = reason
    }

    /// A copy with `change` applied to its texts.
    public func mapTexts(_ change: (String) -> String) -> ExitStatus {
        ExitStatus(
            code: code, conclusion: conclusion, lastOutput: lastOutput.map(change), reason: reason.map(change))
    }
}

/// Why a backend operation failed.
public struct InfrastructureError: Error, Hashable, CustomStringConvertible {
    /// The kind of a failure, which decides the worker's reaction.
    public enum Kind: Sendable, Hashable {
        /// The infrastructure does not exist, or no longer exists.
        case notFound
        /// The infrastructure may exist, but out of reach of this worker: on another host or another engine.
        case notReachable
        /// The job cannot be run as it is configured.
        case refused
        /// The infrastructure cannot be used at the moment.
        case unavailable
    }

    /// The kind of the failure, which decides the worker's reaction.
    public let kind: Kind
    /// One line with the object, the cause and the remedy.
    public let message: String
    /// The exit code with the same meaning, where there is a customary one (126, 127).
    public let exitCode: Int?

    /// An error.
    public init(_ kind: Kind, _ message: String, exitCode: Int? = nil) {
        self.kind = kind
        self.message = message
        self.exitCode = exitCode
    }

    /// The message.
    public var description: String { message }

    /// Runs `body` on a job configuration, and turns every error of it into a refusal of the job.
    public static func refusing<Result>(_ body: () throws -> Result) throws(InfrastructureError) -> Result {
        do {
            return try body()
        } catch {
            throw InfrastructureError(.refused, "\(error)")
        }
    }
}
