/// A backend's report about its infrastructure.
public struct BackendReport: Sendable, Hashable {
    /// The result of one check.
    public struct Finding: Sendable, Hashable {
        /// The subject of the check, in two or three words.
        public let subject: String
        /// The result in one line; for a failure, with the remedy.
        public let detail: String
        /// Whether the subject is as it must be.
        public let isGood: Bool
        /// Whether the finding concerns only some of the runs, so that a worker still serves the others.
        public let isPartial: Bool

        /// A finding.
        public init(subject: String, detail: String, isGood: Bool, isPartial: Bool = false) {
            self.subject = subject
            self.detail = detail
            self.isGood = isGood
            self.isPartial = isPartial
        }
    }

    /// All findings, in the order of the checks.
    public let findings: [Finding]

    /// A report of findings.
    public init(findings: [Finding]) {
        self.findings = findings
    }

    /// The first reason why no run can be launched; `nil` when some can.
    public var problem: Finding? { findings.first { !$0.isGood && !$0.isPartial } }

    /// Whether all findings are good.
    public var isUsable: Bool { findings.allSatisfy(\.isGood) }
}
