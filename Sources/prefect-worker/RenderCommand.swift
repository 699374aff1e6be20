import ArgumentParser
import BackendKit
import FoundationEssentials
import JobTemplates
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect-worker render`: shows the job configuration that a flow run would start with.
struct RenderCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render", abstract: "Show the job configuration that a flow run would be launched with.",
        discussion: """
            Online, the command reads the objects from the API: name the pool, and a deployment or a flow run. Offline, \
            it reads them from one JSON file with 'work_pool' and 'flow_run'. The file may also have 'deployment', 'flow', \
            'worker_name' and 'worker_id'. The environment is that of this process.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Option(name: .shortAndLong, help: "The work pool.")
    var pool: String?

    @Option(help: ArgumentHelp("The deployment, as FLOW/NAME.", valueName: "flow/name"))
    var deployment: String?

    @Option(help: ArgumentHelp("The flow run.", valueName: "id"))
    var flowRun: String?

    @Option(
        help: ArgumentHelp("A JSON file with the API's objects; the command then uses no API.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var input: String?

    @Flag(help: "Show the configuration as the template gives it, before it is prepared for the run.")
    var raw = false

    @Flag(help: "Show secrets in clear.")
    var showSecrets = false

    @Option(help: ArgumentHelp("The Python that runs flows in a process pool.", valueName: "path"), completion: .file())
    var python: String?

    @OptionGroup var jobVariables: JobVariableOptions

    func validate() throws {
        if input != nil, pool != nil || deployment != nil || flowRun != nil {
            throw ValidationError(
                "--input takes everything from the file: leave --pool, --deployment and --flow-run out")
        }
        if input == nil, deployment == nil, flowRun == nil {
            throw ValidationError("name a --deployment FLOW/NAME, a --flow-run ID, or an --input FILE")
        }
    }

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let environment = ProcessInfo.processInfo.environment
        let source: RenderSource
        if let input {
            source = try RenderSource(offline: JSONFile.read(input, what: "The input"))
        } else {
            source = try await RenderSource(
                api: APIClient(settings: settings), pool: pool, deployment: deployment, flowRun: flowRun)
        }
        guard let kind = Backends.backend(ofType: source.subject.pool.type) else {
            throw Refusal(
                "Work pool '\(source.subject.pool.name)' has the type '\(source.subject.pool.type)'; this worker "
                    + "renders: \(Backends.types.joined(separator: ", "))")
        }
        let secrets = RevealedSecrets()
        let references = RecordingReferences(source.references, recording: secrets)
        let configuration: JSONValue
        if raw {
            let rendering = JobRendering(
                defaultTemplate: kind.traits.baseJobTemplate, environment: environment, references: references)
            configuration = try await kind.traits.shownUnprepared(rendering.render(source.subject))
        } else {
            let backend = try kind.init(
                host:
                    BackendHost(
                        environment: Backends.environment, python: python ?? environment["PREFECT_WORKER_PYTHON"],
                        settings: settings.integrations))
            configuration = try await prepare(source.subject, for: backend, settings, references)
        }
        let shown = showSecrets ? configuration : secrets.masking(configuration, settings.redactor)
        print(shown.serialized(.pretty))
    }

    private func prepare(
        _ subject: JobSubject, for backend: any Backend, _ settings: PrefectSettings,
        _ references: any TemplateReferences
    ) async throws -> JSONValue {
        try await JobPreparation(
            backend: backend, environment: ProcessInfo.processInfo.environment,
            settingsEnvironment: settings.environmentForJobs(),
            allowedJobVariables: Set(jobVariables.allowed(in: ProcessInfo.processInfo.environment)),
            references: references
        ).workload(
            subject,
            for: RunContext(
                flowRunID: subject.flowRun.id, flowRunName: subject.flowRun.name, claimID: "",
                deploymentID: subject.deployment.flatMap { $0["id"]?.stringValue }, reporter: SilentReporter())
        ).description
    }
}
