extension SettingDefinition {
    /// The effect of the setting on a worker; `nil` if the worker only passes the setting on to jobs.
    public var meaning: String? { Self.meanings[path] }

    /// The settings that this package itself acts on, by TOML path.
    static let meanings: [String: String] = [
        "home": "The folder of the profiles, and of the state of workers that have no other place for it.",
        "profiles_path": "The file of the profiles. Default: `profiles.toml` in `PREFECT_HOME`.",
        "debug_mode": "The worker's log and what it hands on of it are at the level `DEBUG`.",
        "api.url": "The API, up to and including `/api`. Needed.",
        "api.auth_string": "`user:password` for a server with basic authentication. It goes before the key.",
        "api.key": "The key for Prefect Cloud.",
        "api.tls_insecure_skip_verify": "Takes any certificate. For tests.",
        "api.ssl_cert_file":
            "The authorities to trust, a PEM file. Default: `SSL_CERT_FILE` of the environment, else the system's.",
        "api.enable_http2": "HTTP/2 where the API has it.",
        "api.request_timeout": "Seconds to connect, to send and to wait for an answer, each.",
        "cli.colors": "Colours in the log on a terminal, if `PREFECT_LOGGING_COLORS` allows them too.",
        "client.max_retries":
            "How often an ordinary request is repeated. What must be said of a run is repeated until it is heard.",
        "client.retry_jitter_factor": "By how much the pauses between repetitions are stretched at random.",
        "client.retry_extra_codes": "Status codes that are repeated beside 408, 429, 502 and 503.",
        "client.csrf_support_enabled": "Asks for a CSRF token where the server wants one.",
        "client.custom_headers":
            "Headers on every request but `User-Agent` and those of CSRF protection. Several sources are put together.",
        "cloud.api_url": "An API whose URL begins with this one counts as Prefect Cloud.",
        "cloud.max_log_size": "The longest log record on Prefect Cloud, in characters.",
        "logging.level": "The least level of the worker's log, and of the worker's lines in the logs of runs.",
        "logging.colors": "Colours in the log on a terminal, if `PREFECT_CLI_COLORS` allows them too.",
        "logging.to_api.enabled": "Whether log records are sent to the API.",
        "logging.to_api.batch_interval": "Seconds that log records are collected before they are sent.",
        "logging.to_api.batch_size": "The most bytes of log records in one request.",
        "logging.to_api.max_log_size": "The most bytes of one log record; what is longer is cut.",
        "testing.test_mode": "The log is at `DEBUG`, profiles are not read. For Prefect's own tests.",
        "worker.debug_mode": "The worker's own log is at the level `DEBUG`.",
        "worker.heartbeat_seconds": "Seconds between two heartbeats.",
        "worker.query_seconds": "Seconds between two polls. Runs that the API announces are polled for at once.",
        "worker.prefetch_seconds": "How many seconds before it is due a run is taken.",
        "worker.cancellation_poll_seconds":
            "Seconds between two looks for cancellations while runs are in flight, six times that while the API "
            + "announces them. Default: 5 here, 120 in the Python worker.",
        "worker.webserver.host": "The address that `--with-healthcheck` answers at.",
        "worker.webserver.port": "The port that `--with-healthcheck` answers at; 0 takes any free one.",
        "worker.enable_cancellation":
            "No effect: this worker always stops cancelled runs, whatever they run on. Passed to jobs.",
        "runner.crash_on_cancellation_failure":
            "No effect on the worker, which looks for cancellations until the API answers. Passed to jobs.",
        "silence_api_url_misconfiguration": "No warning of an API URL that looks wrong.",
    ]
}
