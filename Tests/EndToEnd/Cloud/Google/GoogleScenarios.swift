import Foundation
import PrefectJSON
import TestSupport
import Testing

/// The scenarios that all types of pools on Google Cloud share.
extension GoogleBench {
    private var isVertex: Bool { type == "vertex-ai" }

    /// The request that creates a job, as a pattern of the stand-in.
    private var creation: String {
        switch type {
        case "cloud-run": "^POST /apis/.*/namespaces/\(project ?? "none")/jobs$"
        case "cloud-run-v2": "^POST /v2/.*/\(region)/jobs$"
        default: "^POST /v1/.*/\(region)/customJobs$"
        }
    }

    /// Flows end as Completed and Failed; crashes have the service's reason; the console is in the log.
    func checkEnds() async throws {
        let server = bench.server
        let completed = try await flow("succeed", parameters: ["word": "swordfish"])
        let failed = try await flow("fail")
        let seven = try await shell("exit 7")
        let missing = try await shell("true", jobVariables: ["image": "nowhere/none:1"])
        try await withWorker { worker in
            let crash = try await crash(of: seven)
            #expect(crash.contains(isVertex ? "7" : "exited with an error"), "\(crash)")
            let image = try await self.crash(of: missing)
            #expect(image.contains("nowhere/none:1"), "\(image)")
            // The stand-in gives the containers of custom jobs no limit of memory.
            if !isVertex {
                let starvation = try await Starvation.message(naming: "Memory limit") {
                    try await self.crash(of: shell(Starvation.command, jobVariables: ["memory": "16Mi"]))
                }
                #expect(starvation.contains("Memory limit") && starvation.contains("'memory'"), "\(starvation)")
            }
            let done = try await server.waitForRun(
                completed, toBe: ["Completed", "Failed", "Crashed"], within: .seconds(90))
            #expect(done["state_name"] == "Completed", "\(worker.summary)")
            let end = try await server.waitForRun(failed, toBe: ["Failed", "Crashed"], within: .seconds(90))
            #expect(end["state_name"] == "Failed")
            try await eventually(within: .seconds(20), "the console is in the log", every: .milliseconds(300)) {
                try await server.logs(of: completed).contains { $0.contains("https://console.cloud.google.com/") }
            }
            // Version 1 of Cloud Run runs a failed container again, unless the job says otherwise.
            let once = type == "cloud-run" ? [completed] : [completed, failed, seven]
            for run in once { #expect(try await containers(of: run) == 1) }
            try await expectNoLeftovers()
        }
    }

    /// A run that waits for quota and one that runs are cancelled.
    func checkCancellation() async throws {
        let server = bench.server
        let running = try await shell("sleep 600")
        try await withWorker { worker in
            try await eventually(within: .seconds(60), "the container runs", every: .milliseconds(300)) {
                try await containers(of: running) == 1
            }
            let name = "wait-\(TestBench.unique())"
            // The path of a creation has no name. Version 1 has no region either, so the request that runs is refused.
            let refused = type == "cloud-run" ? "^POST /apis/.*/jobs/\(name)-.*:run$" : creation
            try await fail(refused, times: 50, status: 429)
            let waiting = try await shell("sleep 600", name: name)
            try await worker.waitForLine(containing: "quota or rate limit")
            try await server.waitForRun(waiting, toBe: ["InfrastructurePending"], within: .seconds(30))
            for run in [waiting, running] {
                try await server.setState(of: run, to: "CANCELLING", name: "Cancelling", force: true)
            }
            for run in [waiting, running] {
                try await server.waitForRun(run, toBe: ["Cancelled"], within: .seconds(60))
            }
            #expect(try await containers(of: waiting) == 0)
            try await expectNoLeftovers()
        }
    }

    /// Requests fail or lose their answers, and each run is still carried out once.
    func checkFaults() async throws {
        let deployment = try await deployQuickRun("0.5")
        var runs: [String] = []
        for _ in 0..<3 { runs.append(try await bench.server.createRun(deployment: deployment)) }
        try await fail(creation, times: 2, status: 503, isCarriedOut: true)
        try await fail(creation, times: 2, status: 503)
        switch type {
        case "cloud-run-v2":
            try await fail("^POST /v2/.*/\(region)/.*:run$", times: 2, status: 503, isCarriedOut: true)
            try await fail("^(GET|DELETE) /v2/.*/\(region)/", times: 4, status: 429)
        case "vertex-ai": try await fail("^GET /v1/.*/\(region)/customJobs/", times: 3, status: 503)
        default:
            let project = try #require(project)
            try await fail(
                "^POST /apis/.*/namespaces/\(project)/jobs/.*:run$", times: 1, status: 503, isCarriedOut: true)
            try await fail("^(GET|DELETE) /apis/.*/namespaces/\(project)/", times: 4, status: 429)
        }
        try await withWorker { _ in
            try await bench.waitForCompletedRuns(3)
            try await expectNoLeftovers()
        }
        for run in runs { #expect(try await containers(of: run) == 1) }
    }

    /// The worker is killed at random times, and each run is carried out once.
    func checkKills() async throws {
        let rounds = TestLength.isShort ? 5 : 20
        let deployment = try await deployQuickRun("1")
        var runs: [String] = []
        for round in 0..<rounds {
            if TestLength.isShort || round % 2 == 0 {
                runs.append(try await bench.server.createRun(deployment: deployment))
            }
            try await withChildProcess(
                WorkerProgram.path, bench.arguments(["--type", type]),
                environment: bench.environment(environment(["PREFECT_WORKER_QUERY_SECONDS": "0.3"])),
                workingDirectory: bench.directory
            ) { worker in
                try await Task.sleep(for: .milliseconds(Int.random(in: 300...3500)))
                worker.send(.kill)
                _ = try await worker.waitForExit(timeout: .seconds(10))
            }
        }
        try await withWorker { _ in
            try await bench.waitForEndedRuns(runs.count)
            let givenUp = try await bench.givenUp(runs)
            #expect(givenUp.count < runs.count)
            try await expectNoLeftovers(most: givenUp.count)
        }
        let givenUp = try await bench.givenUp(runs)
        for run in runs {
            let begins = notes("runs").count { $0 == "begin \(run)" }
            #expect(begins == 1 || givenUp.contains(run) && begins <= 1, "\(run) began \(begins) times")
        }
    }

    /// Two workers serve the pool, and many runs run at once.
    func checkTwoWorkers() async throws {
        let count = TestLength.isShort ? 8 : 200
        let deployment = try await deployQuickRun("1")
        var runs: [String] = []
        for _ in 0..<count { runs.append(try await bench.server.createRun(deployment: deployment)) }
        try await withWorker(name: "first") { _ in
            try await withWorker(name: "second") { _ in
                try await bench.waitForCompletedRuns(count, within: .seconds(150 + 3 * count))
                try await expectNoLeftovers()
                // A worker learns of the end of a job some seconds after the flow has reported it.
                try await eventually(within: .seconds(90), "no worker holds a run", every: .milliseconds(500)) {
                    try await bench.remains().isEmpty
                }
            }
        }
        for run in runs {
            #expect(notes("runs").count { $0 == "begin \(run)" } == 1)
            #expect(try await containers(of: run) == 1)
        }
    }

    /// No job of the region remains. Vertex AI keeps its jobs, of which none may be active.
    ///
    /// - Parameter most: The jobs that may wait for a sweep: those of runs that were given up.
    func expectNoLeftovers(most: Int = 0) async throws {
        var found = ""
        do {
            try await eventually(within: .seconds(60), "no job remains", every: .seconds(2)) {
                found = try await leftovers()
                if isVertex { return found.contains("of which 0 have not ended") }
                return (0...most).contains { found.contains(" \($0) in \(region)") }
            }
        } catch {
            throw Explained(error: error, detail: found)
        }
    }
}
