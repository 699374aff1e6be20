internal import JSON
internal import Worker

/// Reports changes of a run's pods: as events, as diagnoses in the run's log, and as the pending state of the run.
struct PodTeller: Sendable {
    private let reporter: any JobReporter
    private let waiting: PendingReport
    private let replicated: ObservationScope?
    private let isLate: Bool
    private let begin: @Sendable (PodSnapshot) -> Void
    private var told: [String: Told] = [:]

    private struct Told {
        var event: String?
        var diagnosis: String?
        var hasBegun = false
    }

    /// Seconds after which an event that others may have reported is not reported again. By then the API takes a
    /// second one as a new event.
    static let memory = 1800.0

    init(
        reporter: any JobReporter, waiting: PendingReport, replicating replicated: ObservationScope?, isLate: Bool,
        begin: @escaping @Sendable (PodSnapshot) -> Void
    ) {
        self.reporter = reporter
        self.isLate = isLate
        self.waiting = waiting
        self.replicated = replicated
        self.begin = begin
    }

    mutating func tell(_ pod: PodSnapshot) {
        var told = told[pod.uid] ?? Told()
        defer { self.told[pod.uid] = told }
        let diagnosis = Diagnosis(pod)
        let event = PodEvent(pod, diagnosis: diagnosis)
        if replicated?.covers(namespace: pod.namespace, labels: pod.labels) == true, told.event != event.id {
            let isOld =
                isLate && told.event == nil
                && event.occurred.map { Timestamp.now.seconds(since: $0) > Self.memory } == true
            told.event = event.id
            if !isOld {
                for known in event.names {
                    reporter.emit(
                        event: known.name, resource: event.resource, payload: [:], id: known.id,
                        occurred: event.occurred)
                }
            }
        }
        // A diagnosis that disappeared is logged again when it returns.
        if told.diagnosis != diagnosis?.key {
            told.diagnosis = diagnosis?.key
            if let diagnosis { reporter.log(diagnosis.level, diagnosis.line) }
        }
        if pod.phase == "Pending" { waiting.request() }
        if pod.hasBegun, !told.hasBegun {
            told.hasBegun = true
            begin(pod)
        }
    }
}
