/// The actor and the action of a step, for the description of an interleaving.
struct ModelStep: CustomStringConvertible {
    let actor: StaticString
    let deed: StaticString

    init(_ actor: StaticString, _ deed: StaticString) {
        self.actor = actor
        self.deed = deed
    }

    var description: String { "\(actor): \(deed)" }
}

/// A model of states that can be compared, and of the steps between them.
protocol ExplorableModel {
    associatedtype State: Hashable
    associatedtype Breach: Hashable

    var beginning: State { get }

    /// Calls `visit` with each possible next state. An optional step need not happen. A state with no other steps is an
    /// end.
    func visitNext(of state: State, _ visit: (_ step: ModelStep, _ isOptional: Bool, _ next: State) -> Void)

    /// The violation in a state, or in a state that is an end; `nil` when there is none.
    func breach(in state: State, isEnd: Bool) -> Breach?
}

/// All states that a model can reach. A breadth-first search finds each of them once.
struct Exploration<Model: ExplorableModel> {
    private(set) var stateCount = 0
    private(set) var endCount = 0
    /// For each kind of breach, one of the shortest paths to it.
    private(set) var breaches: [Model.Breach: [ModelStep]] = [:]

    /// Explores the model. The search does not continue from a state in breach.
    init(_ model: Model) {
        var known: Set<Model.State> = [model.beginning]
        var states = [model.beginning]
        var origins: [(state: Int, step: ModelStep)] = [(0, ModelStep("", ""))]
        var index = 0
        while index < states.count {
            let state = states[index]
            var isEnd = true
            if note(model.breach(in: state, isEnd: false), at: index, origins) {
                index += 1
                continue
            }
            model.visitNext(of: state) { step, isOptional, next in
                if !isOptional { isEnd = false }
                guard known.insert(next).inserted else { return }
                states.append(next)
                origins.append((index, step))
            }
            if isEnd {
                endCount += 1
                note(model.breach(in: state, isEnd: true), at: index, origins)
            }
            index += 1
        }
        stateCount = states.count
    }

    @discardableResult
    private mutating func note(
        _ breach: Model.Breach?, at index: Int, _ origins: [(state: Int, step: ModelStep)]
    ) -> Bool {
        guard let breach else { return false }
        guard breaches[breach] == nil else { return true }
        var steps: [ModelStep] = []
        var index = index
        while index > 0 {
            steps.append(origins[index].step)
            index = origins[index].state
        }
        breaches[breach] = steps.reversed()
        return true
    }

    /// The breaches and the paths to them, as text for readers.
    var account: String {
        breaches.map { breach, steps in
            "\(breach):\n" + steps.enumerated().map { "  \($0 + 1). \($1)" }.joined(separator: "\n")
        }.joined(separator: "\n")
    }
}
