import PrefectClient

/// Gives a work pool its next limit of a list, for example a small one by day and a large one by night.
///
///     rotate-limit POOL 5 20 none
///
/// The limit after the pool's current one is next; after the last, the first. `none` means no limit.
@main
struct Rotate {
    static func main() async throws {
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard arguments.count >= 2 else { return print("usage: rotate-limit POOL LIMIT…") }
        let limits = arguments.dropFirst().map { Int($0) }
        let client = try APIClient(settings: PrefectSettings.load())
        do {
            let pool = try await client.readWorkPool(named: arguments[0])
            let current = limits.firstIndex(of: pool.concurrencyLimit)
            let next = limits[((current ?? -1) + 1) % limits.count]
            try await client.updateWorkPool(named: pool.name, WorkPoolUpdate { $0.concurrencyLimit = next })
            print("\(pool.name): \(Self.text(pool.concurrencyLimit)) → \(Self.text(next))")
        } catch let error as APIError where error.isNotFound {
            print("there is no work pool \(arguments[0])")
        }
    }

    private static func text(_ limit: Int?) -> String { limit.map { "\($0)" } ?? "none" }
}
