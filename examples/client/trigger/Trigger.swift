import PrefectClient

/// Runs a deployment, prints the logs of the run as they arrive, and ends with the run.
///
///     trigger-deployment FLOW/DEPLOYMENT
@main
struct Trigger {
    static func main() async throws {
        guard let name = CommandLine.arguments.dropFirst().first else {
            return print("usage: trigger-deployment FLOW/DEPLOYMENT")
        }
        let client = try APIClient(settings: PrefectSettings.load())
        do {
            let deployment = try await client.readDeployment(named: name)
            let run = try await client.createFlowRun(fromDeployment: deployment.id)
            print("\(run.name) is \(run.stateName ?? "new")")
            for try await line in client.followLogs(ofFlowRun: run.id) { print(line.message) }
            let ended = try await client.waitForFlowRun(id: run.id)
            print("\(ended.name) is \(ended.stateName ?? "gone")")
        } catch let error as APIError where error.isNotFound {
            print("there is no deployment \(name)")
        }
    }
}
