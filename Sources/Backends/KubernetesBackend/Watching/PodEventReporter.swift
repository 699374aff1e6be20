internal import BackendKit
internal import PrefectJSON

/// Reports changes of a run's pods: as events, as diagnoses in the run's log, and as the pending state of the run.
struct PodEventReporter: Sendable {
    private let reporter: any JobReporter
    private let waiting: PendingReport
    private let replicated: ObservationScope?
    private let isLate: Bool
    private let begin: @Sendable (PodSnapshot) -> Void
    private var reported: [String: Reported] = [:]

    private struct Reported {
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

    mutating func report(_ pod: PodSnapshot) {
        var reported = reported[pod.uid] ?? Reported()
        defer { self.reported[pod.uid] = reported }
        let diagnosis = Diagnosis(pod)
        let event = PodEvent(pod, diagnosis: diagnosis)
        if replicated?.covers(namespace: pod.namespace, labels: pod.labels) == true, reported.event != event.id {
            let isOld =
                isLate && reported.event == nil
                && event.occurred.map { Timestamp.now.seconds(since: $0) > Self.memory } == true
            reported.event = event.id
            if !isOld {
                for known in event.names {
                    reporter.emit(
                        event: known.name, resource: event.resource, payload: [:], id: known.id,
                        occurred: event.occurred)
                }
            }
        }
        // A diagnosis that disappeared is logged again when it returns.
        if reported.diagnosis != diagnosis?.key {
            reported.diagnosis = diagnosis?.key
            if let diagnosis { reporter.log(diagnosis.level, diagnosis.line) }
        }
        if pod.phase == "Pending" { waiting.request() }
        if pod.hasBegun, !reported.hasBegun {
            reported.hasBegun = true
            begin(pod)
        }
    }
}
