import BackendKit

/// The environment variables that are settings neither of Prefect nor of a backend.
enum WorkerVariable {
    static let own = [
        BackendSetting("PREFECT_PROFILE", expects: "a name", "The profile to use. `--profile` takes precedence."),
        BackendSetting(
            "PREFECT_WORKER_CONFIG", expects: "a path",
            "The file of the work pools, like `--config`. It has no effect with `--pool`."),
        BackendSetting(
            "PREFECT_WORKER_PYTHON", expects: "a path, a name or none",
            "The Python that runs flows in process and systemd pools, like `--python`; `none` if every job has a "
                + "`command`. Default: `python`, else `python3`, on `PATH`."),
        BackendSetting(
            "PREFECT_WORKER_WARM_ENGINES", expects: "off, auto or on", default: "auto",
            "Whether runs of process pools start as copies of a process that has imported Prefect, like "
                + "`--warm-engines`."),
        BackendSetting(
            "PREFECT_WORKER_STATUS_PAGE", expects: "true or false", default: "false",
            "Whether the server of `/status` shows a status page at `/`, like `--status-page`."),
        BackendSetting(
            "PREFECT_WORKER_DRAIN_TIMEOUT_SECONDS", expects: "a number of at least 0",
            "How long the worker waits for runs in flight after the first SIGTERM, like `--drain-timeout`. Default: as "
                + "long as they take."),
        BackendSetting(
            "PREFECT_WORKER_EXIT_WHEN_IDLE_SECONDS", expects: "a number of at least 1",
            "After how much time without a run in flight or due the worker exits, like `--exit-when-idle`. Default: never."
        ),
        BackendSetting(
            "PREFECT_WORKER_ALLOWED_JOB_VARIABLES", expects: "names, separated by commas",
            "The restricted job variables that deployments and flow runs may set, like `--allow-job-variable`. Restricted "
                + "variables control what a run may do on the worker's host. Default: none."),
        BackendSetting(
            "PREFECT_WORKER_ALLOW_HOST_CREDENTIALS", expects: "true or false", default: "false",
            "Whether the job variable `cluster_config` may name programs and files of the worker's host, like "
                + "`--allow-host-credentials`."),
    ]

    static let usual = [
        BackendSetting(
            "SSL_CERT_FILE", expects: "a path",
            "The certificate authorities to trust, unless Prefect's setting names them."),
        BackendSetting("https_proxy", "HTTPS_PROXY", expects: "a URL", "The proxy for https URLs."),
        BackendSetting("http_proxy", "HTTP_PROXY", expects: "a URL", "The proxy for http URLs."),
        BackendSetting(
            "all_proxy", "ALL_PROXY", expects: "a URL", "The proxy for URLs that the other variables do not cover."),
        BackendSetting(
            "no_proxy", "NO_PROXY", expects: "names, .domain, *.domain, addresses, CIDR; separated by commas",
            "The hosts that are reached without a proxy."),
        BackendSetting("NO_COLOR", expects: "anything", "No colours in the log."),
        BackendSetting(
            "TMPDIR", expects: "a path",
            "The parent of the directories of process runs if the worker has no state directory. Default: `/tmp`."),
    ]

    static let systemd = [
        BackendSetting(
            "STATE_DIRECTORY", expects: "a path",
            "The state directory (`StateDirectory=`). `--state-dir` takes precedence."),
        BackendSetting(
            "CREDENTIALS_DIRECTORY", expects: "a path",
            "The directory of the files `prefect-api-key` and `prefect-api-auth-string` (`LoadCredential=`). "
                + "`PREFECT_API_KEY` and `PREFECT_API_AUTH_STRING` in the environment take precedence."),
        BackendSetting(
            "NOTIFY_SOCKET", expects: "an address",
            "The socket for READY, STATUS, WATCHDOG and so on (`Type=notify`)."),
        BackendSetting(
            "WATCHDOG_USEC", expects: "microseconds",
            "The interval at which systemd expects a sign of life (`WatchdogSec=`)."),
        BackendSetting(
            "JOURNAL_STREAM", expects: "device:inode",
            "If standard error is this stream, the log goes to the journal as entries with fields."),
    ]
}
