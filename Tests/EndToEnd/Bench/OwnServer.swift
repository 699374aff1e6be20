import FoundationEssentials
import PrefectJSON
import TestSupport

/// A Prefect server for one test. It can be stopped and started again, and requires credentials.
struct OwnServer: Sendable {
    /// The user and the password that the server requires.
    static let credentials = "operator:top-secret"

    /// A client of the server.
    let client: PrefectServerClient
    private let reservation: PortReservation
    private let directory: String

    init(directory: String) throws {
        reservation = try PortReservation()
        self.directory = directory
        var client = try PrefectServerClient(url: "http://127.0.0.1:\(reservation.port)/api", patience: .seconds(60))
        let basic = Data(Self.credentials.utf8).base64EncodedString()
        client.headers = [(name: "Authorization", value: "Basic \(basic)")]
        self.client = client
    }

    /// The server's port.
    var port: Int { reservation.port }

    /// Runs the server, with additional settings, while `body` runs.
    func whileRunning<Result>(
        settings: [String: String] = [:], isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> Result
    ) async throws -> Result {
        let environment = WorkerProgram.environment(
            home: directory,
            [
                "PREFECT_HOME": "\(directory)/server", "PREFECT_SERVER_API_AUTH_STRING": Self.credentials,
                "PREFECT_API_AUTH_STRING": Self.credentials, "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            ].merging(settings) { $1 })
        // The server starts again whenever it has ended, unless the file `hold` exists.
        let script = """
            while :; do
              while [ -e hold ]; do sleep 0.1; done
              sh -c 'echo $$ >pid; exec prefect server start --host 127.0.0.1 --port \(reservation.port) --no-ui'
            done
            """
        return try await withChildProcess(
            "/bin/sh", ["-c", script], environment: environment, workingDirectory: directory
        ) { server in
            do {
                try await waitUntilUp()
                return try await body()
            } catch {
                throw Explained(error: error, detail: server.summary)
            }
        }
    }

    /// Ends the server.
    func stop() async throws {
        try Data().write(to: URL(filePath: "\(directory)/hold"))
        let noted = try String(contentsOf: URL(filePath: "\(directory)/pid"), encoding: .utf8)
        guard let process = Int32(noted.filter(\.isNumber)) else { return }
        ProcessTable.kill(process)
        try await eventually(within: .seconds(10), "the server has ended") { !ProcessTable.isAlive(process) }
    }

    /// Starts the server again with its old data, and waits until it answers.
    func start() async throws {
        try FileManager.default.removeItem(atPath: "\(directory)/hold")
        try await waitUntilUp()
    }

    private func waitUntilUp() async throws {
        try await eventually(within: .seconds(90), "the server answers", every: .milliseconds(200)) {
            var impatient = client
            impatient.patience = .zero
            return (try? await impatient.send("GET", "/health"))?.status == 200
        }
    }
}
