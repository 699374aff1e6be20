internal import FoundationEssentials
internal import PrefectClient
internal import PrefectConcurrency

/// Finds out which runs of other workers are pending and not yet reported as waiting for their infrastructure. The
/// questions of a moment are answered together, since a cluster may have thousands of pods that wait.
final class UnreportedRuns: Sendable {
    private final class Question: Sendable {
        let id: UUID
        let answer = ObservedValue<Result<Bool, any Error>?>(nil)

        init(_ id: UUID) { self.id = id }
    }

    private let questions = Gathering<Question>()

    /// Whether a run is one of them. Throws `APIError`, or `CancellationError`. Only ``run(_:)`` answers.
    func contains(_ id: UUID) async throws -> Bool {
        let question = Question(id)
        questions.add(question)
        await question.answer.wait { $0 != nil }
        guard let answer = question.answer.value else { throw CancellationError() }
        return try answer.get()
    }

    /// Answers the questions until the task is cancelled.
    func run(_ api: APIClient) async {
        while let questions = await questions.next() {
            let answer = await Self.unreported(among: questions.map(\.id), api)
            for question in questions {
                question.answer.update { $0 = answer.map { ids in ids.contains(question.id) } }
            }
        }
    }

    private static func unreported(among ids: [UUID], _ api: APIClient) async -> Result<Set<UUID>, any Error> {
        do {
            let runs = try await api.readFlowRuns(among: Array(Set(ids)), inStates: [.pending], effort: .once)
            return .success(Set(runs.lazy.filter { $0.stateName != StateCreate.infrastructurePending }.map(\.id)))
        } catch {
            return .failure(error)
        }
    }
}
