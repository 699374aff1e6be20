import Foundation
import PrefectJSON
import TestSupport
import Testing

@Suite("Azure Container Instances", .requires(.prefectServer, .docker), .azure, .bounded)
struct ContainerInstancesTests {
    @Test("flows complete and fail, and the reasons of crashes are reported, with the output and the console's address")
    func ends() async throws {
        try await withAzureBench { azure in
            let server = azure.bench.server
            let done = try await server.createRun(
                deployment: azure.deploy("succeed"), parameters: ["word": "swordfish"])
            let failed = try await server.createRun(deployment: azure.deploy("fail"))
            let seven = try await azure.run("echo last words; exit 7", ["stream_output": true])
            let missing = try await azure.run("true", ["image": "nowhere/none:1"])
            let unknown = try await azure.run("true", ["resource_group_name": "nowhere"])
            try await azure.withWorker { worker in
                let end = try await server.waitForRun(done, toBe: ["Completed", "Crashed"], within: .seconds(90))
                #expect(end["state_name"] == "Completed")
                #expect(end["infrastructure_pid"]?.stringValue == "\(done):\(azure.prefix)-\(done)")
                let failure = try await server.waitForRun(failed, toBe: ["Failed", "Crashed"], within: .seconds(90))
                #expect(failure["state_name"] == "Failed")
                #expect(try await azure.crash(of: seven).contains("status code 7"))
                try await worker.waitForLine(containing: "last words")
                #expect(try await azure.crash(of: missing).contains("InaccessibleImage"))
                #expect(try await azure.crash(of: unknown).contains("resource group 'nowhere' does not exist"))
                let starvation = try await Starvation.message(naming: "memory limit") {
                    try await azure.crash(of: azure.run(Starvation.command, ["memory": 0.02]))
                }
                #expect(starvation.contains("memory limit") && starvation.contains("0.02"), "\(starvation)")
                try await eventually(within: .seconds(20), "the console's address is in the log") {
                    try await server.logs(of: seven).contains { $0.contains("portal.azure.com") }
                }
                let containers = try await azure.containers(of: [done, failed, seven])
                #expect(containers.count == 3)
                try await azure.waitForRemoval(of: containers)
            }
        }
    }

    @Test("a run is cancelled while it waits for room, and while it runs, with its hook")
    func cancellation() async throws {
        try await withAzureBench { azure in
            let server = azure.bench.server
            let waiting = try await azure.run("touch \"$OUT/never\"")
            let running = try await server.createRun(deployment: azure.deploy("linger"))
            try await azure.fail(
                "PUT .*prefect-\(azure.prefix)-\(waiting)", times: 50, status: 409, code: "ContainerGroupQuotaReached")
            try await azure.withWorker { worker in
                try await worker.waitForLine(containing: "ContainerGroupQuotaReached")
                let pending = try await server.flowRun(waiting)
                #expect(pending["state_name"] == "InfrastructurePending")
                #expect(pending["state"]?["message"]?.stringValue?.contains("ContainerGroupQuotaReached") == true)
                try await server.setState(of: waiting, to: "CANCELLING", name: "Cancelling")
                try await server.waitForRun(waiting, toBe: ["Cancelled"], within: .seconds(40))
                try await eventually(within: .seconds(60), "the flow runs") { !azure.notes("pid").isEmpty }
                try await server.setState(of: running, to: "CANCELLING", name: "Cancelling")
                try await server.waitForRun(running, toBe: ["Cancelled"], within: .seconds(90))
                #expect(azure.notes("cancelled-hook").count == 1)
                try await azure.waitForRemoval(of: try await azure.containers(of: [running]))
            }
            #expect(azure.notes("never").isEmpty)
            #expect(try await azure.containers(of: [waiting]).isEmpty)
        }
    }

    @Test("throttling, lost answers and an unavailable service delay runs, and start none twice")
    func faults() async throws {
        try await withAzureBench { azure in
            let throttled = try await azure.run("sleep 2; exit 4")
            let lost = try await azure.run("sleep 2; exit 5")
            let away = try await azure.run("sleep 2; exit 6")
            try await azure.fail(
                "PUT .*\(lost)", status: 503, code: "ServiceUnavailable", isLate: true)
            try await azure.withWorker { _ in
                // Every second request of one run is refused.
                let throttling = Task {
                    var refused = -1
                    while !Task.isCancelled {
                        if let count = try? await azure.requests(of: throttled).count, count % 2 == 0, count > refused {
                            refused = count
                            try? await azure.fail(".*\(throttled)", status: 429, code: "TooManyRequests")
                        }
                        try? await Task.sleep(for: .milliseconds(100))
                    }
                }
                try await eventually(within: .seconds(60), "the run has a container", every: .milliseconds(50)) {
                    try await !azure.containers(of: [away]).isEmpty
                }
                try await azure.fail(".*\(away)", times: 12, status: 503, code: "ServerBusy")
                #expect(try await azure.crash(of: throttled).contains("status code 4"))
                throttling.cancel()
                await throttling.value
                #expect(try await azure.crash(of: lost).contains("status code 5"))
                #expect(try await azure.crash(of: away).contains("status code 6"))
            }
            #expect(try await azure.containers(of: [throttled, lost, away]).count == 3)
        }
    }

    @Test("a service that is away for a while loses no run and no report, and makes no run crash")
    func outage() async throws {
        try await withAzureBench { azure in
            let server = azure.bench.server
            let crashes = try await azure.run("while [ ! -e \"$OUT/gone\" ]; do sleep 0.2; done; exit 7")
            let lasts = try await azure.run("while [ ! -e \"$OUT/back\" ]; do sleep 0.2; done; exit 8")
            let proxy = try #require(ProcessInfo.processInfo.environment["HTTPS_PROXY"])
            try await withFaultProxy(to: proxy) { link in
                try await azure.withWorker(variables: ["HTTPS_PROXY": link.url]) { _ in
                    try await eventually(within: .seconds(90), "the containers run", every: .milliseconds(300)) {
                        try await azure.containers(of: [crashes, lasts]).count == 2
                    }
                    let due = try await Outage.take(away: link) {
                        try TestFile.write("", to: "\(azure.shared)/gone")
                        return try await azure.run("exit 9")
                    } whileAway: { due in
                        #expect(try await azure.containers(of: [due]).isEmpty)
                        for run in [due, lasts, crashes] {
                            let state = try await server.flowRun(run)["state_type"]?.stringValue ?? ""
                            #expect(["SCHEDULED", "PENDING", "RUNNING"].contains(state))
                        }
                    }
                    try TestFile.write("", to: "\(azure.shared)/back")
                    for (run, code) in [(crashes, 7), (lasts, 8), (due, 9)] {
                        #expect(try await azure.crash(of: run).contains("status code \(code)"))
                    }
                    let containers = try await azure.containers(of: [crashes, lasts, due])
                    #expect(containers.count == 3)
                    try await azure.waitForRemoval(of: containers)
                }
            }
        }
    }

    @Test("a worker that is killed at any time starts each run once, and leaves nothing")
    func killedOften() async throws {
        try await withAzureBench { azure in
            let deployment = try await azure.deploy(
                script: "echo $PREFECT__FLOW_RUN_ID >>\"$OUT/begun\"; sleep 1; exit 4")
            let rounds = TestLength.isShort ? 5 : 20
            var random = FuzzRandom(seed: UInt64.random(in: 0...UInt64.max))
            var runs: [String] = []
            for _ in 0..<rounds {
                runs.append(try await azure.bench.server.createRun(deployment: deployment))
                try await azure.killWorker(after: .milliseconds(300 + random.below(3500)))
            }
            try await azure.withWorker { _ in
                try await eventually(within: .seconds(120), "all runs have crashed", every: .milliseconds(500)) {
                    try await azure.bench.count(ofStates: ["CRASHED"]) == rounds
                }
                let givenUp = try await azure.bench.givenUp(runs)
                for run in runs where !givenUp.contains(run) {
                    let message = try await azure.bench.server.flowRun(run)["state"]?["message"]?.stringValue ?? ""
                    #expect(message.contains("status code 4"), "\(run): \(message)")
                }
                let containers = try await azure.containers(of: runs)
                #expect(containers.count == runs.count || !givenUp.isEmpty, "\(containers) of \(runs)")
                // The container of a run that is given up may remain until the next start of the worker.
                try await azure.waitForRemoval(of: azure.containers(of: runs.filter { !givenUp.contains($0) }))
            }
            let begun = azure.notes("begun")
            #expect(begun.count == Set(begun).count)
            #expect(try await azure.bench.remains() == [])
        }
    }

    @Test("two workers on one pool share many runs, each of which starts once")
    func twoWorkers() async throws {
        try await withAzureBench { azure in
            let count = TestLength.isShort ? 12 : 200
            let deployment = try await azure.deploy(script: "sleep 1; exit 3")
            var runs: [String] = []
            for _ in 0..<count { runs.append(try await azure.bench.server.createRun(deployment: deployment)) }
            try await azure.withWorker(name: "one") { _ in
                try await azure.withWorker(name: "two", ["--state-dir", "\(azure.bench.directory)/two"]) { _ in
                    try await eventually(
                        within: .seconds(90 + count), "all runs have crashed", every: .milliseconds(500)
                    ) {
                        try await azure.bench.count(ofStates: ["CRASHED"]) == count
                    }
                }
            }
            #expect(try await azure.containers(of: runs).count == count)
        }
    }

    @Test("check names the identity, the resource group and the leftovers; render shows the requests without secrets")
    func commands() async throws {
        try await withAzureBench { azure in
            let deployment = try await azure.deploy(script: "true", ["env": ["PREFECT_API_KEY": "hidden-hidden"]])
            let environment = azure.environment()
            let check = try await WorkerProgram.run(
                ["check", "--pool", azure.bench.pool], environment: environment, in: azure.bench.directory)
            for part in ["identity", "resource group  ", " in westeurope", "container groups", "busybox:lab"] {
                #expect(check.text.contains(part), "\(check.text)")
            }
            #expect(check.status == .exited(0))
            let name = try await azure.bench.server.call("GET", "/deployments/\(deployment)")["name"]?.stringValue ?? ""
            let shown = try await WorkerProgram.run(
                ["render", "--deployment", "\(azure.bench.flowName)/\(name)"], environment: environment,
                in: azure.bench.directory)
            let json = try JSONValue(parsing: shown.output.joined(separator: "\n"))
            #expect(json["requests"]?[0]?["method"] == "PUT", "\(shown.text)")
            #expect(!shown.text.contains("hidden-hidden"))
            let settings = try await WorkerProgram.run(
                ["settings"], environment: environment, in: azure.bench.directory)
            #expect(settings.text.contains("AZURE_CLIENT_SECRET"))
            #expect(!settings.text.contains(environment["AZURE_CLIENT_SECRET"] ?? "no secret"))
            let nobody = try await WorkerProgram.run(
                ["check", "--pool", azure.bench.pool],
                environment: azure.environment(["AZURE_CLIENT_SECRET": "wrong"]), in: azure.bench.directory)
            #expect(nobody.status == .exited(1) && nobody.text.contains("AADSTS7000215"), "\(nobody.text)")
        }
    }
}
