internal import BackendKit
internal import JobTemplates
internal import PrefectClient
internal import PrefectJSON
internal import Synchronization

extension RunDriver {
    /// The values that a step passes to later steps.
    @dynamicMemberLookup
    final class Memory: Sendable {
        struct Values: Sendable {
            /// The run's workload, once it is made.
            var prepared: RunJobs.Prepared?
            /// The event that the run was submitted.
            var submitted: EventCreate?
            /// Whether the run exists and was this worker's when its status was read.
            var isOurs = true
            /// How often Submitting was proposed.
            var submissions = 0
            /// Why the run could not be configured or started.
            var failure: (any Error)?
            /// The state that was read after the end of the run's infrastructure.
            var state: PrefectClient.State?
        }

        /// The trace that the run's process continues.
        let trace: TraceContext?
        private let values = Mutex(Values())

        init(trace: TraceContext?) { self.trace = trace }

        subscript<Value: Sendable>(dynamicMember member: WritableKeyPath<Values, Value>) -> Value {
            get { values.withLock { $0[keyPath: member] } }
            set { values.withLock { $0[keyPath: member] = newValue } }
        }

        /// The run's workload, for a step after the one that makes it.
        @inline(never)
        func workload() throws -> any Workload { try made().workload }

        /// Keeps only what is needed once the infrastructure exists.
        @inline(never)
        func reduce() { self.prepared?.reduce() }

        /// The run's workload, and the objects that its events are related to.
        func made() throws -> RunJobs.Prepared {
            guard let prepared = self.prepared else { throw MissingJob() }
            return prepared
        }
    }
}
