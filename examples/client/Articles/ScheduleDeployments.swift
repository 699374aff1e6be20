import FoundationEssentials
import PrefectClient

func scheduleDaily(_ client: APIClient, deployment: UUID) async throws {
    let daily = CronSchedule(cron: "0 6 * * *") { $0.timezone = "Europe/Berlin" }
    _ = try await client.createDeploymentSchedules(
        deploymentID: deployment, [DeploymentScheduleCreate(schedule: .cron(daily))])
}

func pauseSchedules(_ client: APIClient, deployment: UUID) async throws {
    for schedule in try await client.readDeploymentSchedules(deploymentID: deployment) {
        try await client.updateDeploymentSchedule(
            deploymentID: deployment, id: schedule.id, DeploymentScheduleUpdate { $0.active = false })
    }
}
