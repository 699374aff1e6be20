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

    static let own = [
        WorkerVariable("PREFECT_PROFILE", expects: "a name", "The profile to use. `--profile` goes before it."),
        WorkerVariable(
            "PREFECT_WORKER_CONFIG", expects: "a path",
            "The file of the work pools, like `--config`. It does not count where `--pool` is given."),
        WorkerVariable(
            "PREFECT_WORKER_PYTHON", expects: "a path, a name or none",
            "The Python that runs flows in process and systemd pools, like `--python`; `none` if every job has a "
                + "`command`. Default: `python`, else `python3`, on `PATH`."),
        WorkerVariable(
            "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS", expects: "a number of at least 0",
            "How long runs in flight are waited for after the first SIGTERM, like `--drain-timeout`. Default: as long as "
                + "they take."),
        WorkerVariable(
            "PREFECT_WORKER_ALLOWED_JOB_VARIABLES", expects: "names, separated by commas",
            "The job variables that deployments and flow runs may set although they say what a run may do on the worker's "
                + "host, like `--allow-job-variable`. Default: none."),
        WorkerVariable(
            "PREFECT_WORKER_ALLOW_HOST_CREDENTIALS", expects: "true or false", default: "false",
            "Whether the job variable `cluster_config` may name programs and files of the worker's host, like "
                + "`--allow-host-credentials`."),
        WorkerVariable(
            "PREFECT_WORKER_SYSTEMD_MANAGER", expects: "system or user",
            "The systemd that runs the units of systemd pools. Default: `system` for root, else `user`."),
    ]

    static let usual = [
        WorkerVariable(
            "SSL_CERT_FILE", expects: "a path", "The authorities to trust, unless Prefect's setting says them."),
        WorkerVariable("https_proxy", "HTTPS_PROXY", expects: "a URL", "The proxy for https URLs."),
        WorkerVariable("http_proxy", "HTTP_PROXY", expects: "a URL", "The proxy for http URLs."),
        WorkerVariable("all_proxy", "ALL_PROXY", expects: "a URL", "The proxy for URLs that have none by the others."),
        WorkerVariable(
            "no_proxy", "NO_PROXY", expects: "names, .domain, *.domain, addresses, CIDR; separated by commas",
            "What is reached without a proxy."),
        WorkerVariable("NO_COLOR", expects: "anything", "No colours in the log."),
        WorkerVariable(
            "TMPDIR", expects: "a path",
            "The place for the folders of process runs where the worker has no state directory. Default: `/tmp`."),
    ]

    static let systemd = [
        WorkerVariable(
            "STATE_DIRECTORY", expects: "a path",
            "The state directory (`StateDirectory=`). `--state-dir` goes before it."),
        WorkerVariable(
            "CREDENTIALS_DIRECTORY", expects: "a path",
            "Where the files `prefect-api-key` and `prefect-api-auth-string` are (`LoadCredential=`). They count where "
                + "the environment has no `PREFECT_API_KEY` and no `PREFECT_API_AUTH_STRING`."),
        WorkerVariable(
            "NOTIFY_SOCKET", expects: "an address", "Where READY, STATUS, WATCHDOG and so on are told (`Type=notify`)."),
        WorkerVariable(
            "WATCHDOG_USEC", expects: "microseconds",
            "How often systemd wants to hear that all is well (`WatchdogSec=`)."),
        WorkerVariable(
            "JOURNAL_STREAM", expects: "device:inode",
            "Where standard error is this, the log goes into the journal as entries with fields."),
    ]

    static let docker = [
        WorkerVariable(
            "DOCKER_HOST", expects: "unix:///path or tcp://host:port",
            "The Engine. Default: that of the context, else `unix:///var/run/docker.sock`."),
        WorkerVariable(
            "DOCKER_TLS_VERIFY", expects: "anything", "TLS to a `tcp://` Engine, and its certificate is verified."),
        WorkerVariable(
            "DOCKER_CERT_PATH", expects: "a path",
            "TLS to a `tcp://` Engine; the folder of `ca.pem`, `cert.pem` and `key.pem`. Default: `DOCKER_CONFIG`."),
        WorkerVariable(
            "DOCKER_CONTEXT", expects: "a name",
            "The context, where `DOCKER_HOST` is not set. Default: `currentContext` of `config.json`."),
        WorkerVariable(
            "DOCKER_CONFIG", expects: "a path", default: "~/.docker",
            "The folder of Docker's `config.json` and contexts."),
        WorkerVariable(
            "DOCKER_CLIENT_TIMEOUT", expects: "a number above 0", default: "60",
            "How many seconds an ordinary answer of the Engine may take."),
    ]

    static let kubernetes = [
        WorkerVariable(
            "KUBECONFIG", expects: "paths, separated by colons",
            "The kubeconfig, where the worker does not run in a cluster itself. Default: `~/.kube/config`.")
    ]
}
