internal import PrefectJSON

/// The keys of the inputs by which workers agree on a run. The API accepts each key of a run only once.
enum RunMark {
    /// The claim that counts, of all that the API accepted for a run that was due at a time. The value is its id.
    static func claim(dueAt due: Timestamp) -> String { "prefect-worker-claim-\(due.microseconds)" }

    /// The worker that reports the crash of a run with this infrastructure. The value identifies its process.
    static func crash(of infrastructure: String) -> String { "prefect-worker-crash-\(infrastructure)" }

    /// The worker that takes over a claim whose worker no longer exists. If that worker no longer exists either, the
    /// next round decides again. The value has the form of a claim's id, and identifies the worker.
    static func takeover(of claim: ClaimIDs, round: Int) -> String { "prefect-worker-takeover-\(claim.claim)-\(round)" }
}
