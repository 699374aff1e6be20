import Foundation
import PrefectJSON
import TestSupport
import Testing

extension GoogleBench {
    /// The service is away while runs end, crash and become due. Each run is carried out once, and each end is reported.
    func checkOutage() async throws {
        let server = bench.server
        let ends = try await server.createRun(deployment: deployQuickRun("\(shared)/gone"))
        let lasts = try await server.createRun(deployment: deployQuickRun("\(shared)/back"))
        // Version 1 of Cloud Run runs a failed container again, so this one ends in the same way each time.
        let crashes = try await shell("while [ ! -e \(shared)/gone ]; do sleep 0.2; done; exit 7")
        let proxy = try #require(ProcessInfo.processInfo.environment["HTTPS_PROXY"])
        try await withFaultProxy(to: proxy) { link in
            try await withWorker(variables: ["HTTPS_PROXY": link.url, "https_proxy": link.url]) { _ in
                try await eventually(within: .seconds(90), "the containers run", every: .milliseconds(300)) {
                    for run in [ends, lasts, crashes] where try await containers(of: run) == 0 { return false }
                    return notes("runs").count == 2
                }
                let due = try await Outage.take(away: link) {
                    try Data().write(to: URL(filePath: "\(shared)/gone"))
                    return try await server.createRun(deployment: deployQuickRun("0.5"))
                } whileAway: { due in
                    #expect(try await containers(of: due) == 0)
                    for run in [due, lasts, crashes] {
                        let state = try await server.flowRun(run)["state_type"]?.stringValue ?? ""
                        #expect(["SCHEDULED", "PENDING", "RUNNING"].contains(state))
                    }
                }
                try Data().write(to: URL(filePath: "\(shared)/back"))
                let crash = try await crash(of: crashes)
                #expect(crash.contains(type == "vertex-ai" ? "7" : "exited with an error"), "\(crash)")
                try await bench.waitForCompletedRuns(3)
                for run in [ends, lasts, due] { #expect(try await containers(of: run) == 1) }
                try await expectNoLeftovers()
            }
        }
    }
}
