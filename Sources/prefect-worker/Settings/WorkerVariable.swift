import BackendKit

/// An environment variable that is not one of Prefect's settings.
struct WorkerVariable: Sendable {
    /// Its names; earlier ones take precedence.
    let names: [String]
    let expectation: String
    var defaultText: String?
    let meaning: String

    init(_ names: String..., expects expectation: String, default defaultText: String? = nil, _ meaning: String) {
        self.names = names
        self.expectation = expectation
        self.defaultText = defaultText
        self.meaning = meaning
    }

    init(_ setting: BackendSetting) {
        names = setting.variables
        expectation = setting.expectation
        defaultText = setting.defaultText
        meaning = setting.meaning
    }

    static let own = [
        WorkerVariable("PREFECT_PROFILE", expects: "a name", "The profile to use. `--profile` takes precedence."),
        WorkerVariable(
            "PREFECT_WORKER_CONFIG", expects: "a path",
            "The file of the work pools, like `--config`. It has no effect with `--pool`."),
        WorkerVariable(
            "PREFECT_WORKER_PYTHON", expects: "a path, a name or none",
            "The Python that runs flows in process and systemd pools, like `--python`; `none` if every job has a "
                + "`command`. Default: `python`, else `python3`, on `PATH`."),
        WorkerVariable(
            "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS", expects: "a number of at least 0",
            "How long the worker waits for runs in flight after the first SIGTERM, like `--drain-timeout`. Default: as "
                + "long as they take."),
        WorkerVariable(
            "PREFECT_WORKER_ALLOWED_JOB_VARIABLES", expects: "names, separated by commas",
            "The restricted job variables that deployments and flow runs may set, like `--allow-job-variable`. Restricted "
                + "variables control what a run may do on the worker's host. Default: none."),
        WorkerVariable(
            "PREFECT_WORKER_ALLOW_HOST_CREDENTIALS", expects: "true or false", default: "false",
            "Whether the job variable `cluster_config` may name programs and files of the worker's host, like "
                + "`--allow-host-credentials`."),
    ]

    static let usual = [
        WorkerVariable(
            "SSL_CERT_FILE", expects: "a path",
            "The certificate authorities to trust, unless Prefect's setting names them."),
        WorkerVariable("https_proxy", "HTTPS_PROXY", expects: "a URL", "The proxy for https URLs."),
        WorkerVariable("http_proxy", "HTTP_PROXY", expects: "a URL", "The proxy for http URLs."),
        WorkerVariable(
            "all_proxy", "ALL_PROXY", expects: "a URL", "The proxy for URLs that the other variables do not cover."),
        WorkerVariable(
            "no_proxy", "NO_PROXY", expects: "names, .domain, *.domain, addresses, CIDR; separated by commas",
            "The hosts that are reached without a proxy."),
        WorkerVariable("NO_COLOR", expects: "anything", "No colours in the log."),
        WorkerVariable(
            "TMPDIR", expects: "a path",
            "The parent of the directories of process runs if the worker has no state directory. Default: `/tmp`."),
    ]

    static let systemd = [
        WorkerVariable(
            "STATE_DIRECTORY", expects: "a path",
            "The state directory (`StateDirectory=`). `--state-dir` takes precedence."),
        WorkerVariable(
            "CREDENTIALS_DIRECTORY", expects: "a path",
            "The directory of the files `prefect-api-key` and `prefect-api-auth-string` (`LoadCredential=`). "
                + "`PREFECT_API_KEY` and `PREFECT_API_AUTH_STRING` in the environment take precedence."),
        WorkerVariable(
            "NOTIFY_SOCKET", expects: "an address",
            "The socket for READY, STATUS, WATCHDOG and so on (`Type=notify`)."),
        WorkerVariable(
            "WATCHDOG_USEC", expects: "microseconds",
            "The interval at which systemd expects a sign of life (`WatchdogSec=`)."),
        WorkerVariable(
            "JOURNAL_STREAM", expects: "device:inode",
            "If standard error is this stream, the log goes to the journal as entries with fields."),
    ]
}
