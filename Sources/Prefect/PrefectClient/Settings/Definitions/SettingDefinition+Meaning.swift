extension SettingDefinition {
    /// The effect of the setting on a worker; `nil` if the worker only passes the setting on to jobs.
    package var meaning: String? { Self.meanings[path] }

    /// The settings that this package itself acts on, by TOML path.
    static let meanings: [String: String] = [
        "home": "The directory of the profiles, and of the state of workers without another state directory.",
        "profiles_path": "The file of the profiles. Default: `profiles.toml` in `PREFECT_HOME`.",
        "debug_mode": "The worker's log, and its lines in the logs of runs, are at the level `DEBUG`.",
        "api.url": "The URL of the API, up to and including `/api`. Required.",
        "api.auth_string": "`user:password` for a server with basic authentication. It takes precedence over the key.",
        "api.key": "The key for Prefect Cloud.",
        "api.tls_insecure_skip_verify": "Any certificate is accepted. For tests.",
        "api.ssl_cert_file":
            "A PEM file of the certificate authorities to trust. Default: `SSL_CERT_FILE`, else those of the system.",
        "api.enable_http2": "HTTP/2 is used if the API supports it.",
        "api.request_timeout": "The time limit for connecting, for sending and for the answer, each in seconds.",
        "cli.colors": "Colours in the log on a terminal, if `PREFECT_LOGGING_COLORS` allows them too.",
        "client.max_retries":
            "How often an ordinary request is retried. Reports about a run are retried until the API accepts them.",
        "client.retry_jitter_factor": "By how much the pauses between retries are extended at random.",
        "client.retry_extra_codes": "Status codes after which a request is retried, besides 408, 429, 502 and 503.",
        "client.csrf_support_enabled": "The worker requests a CSRF token if the server requires one.",
        "client.custom_headers":
            "Headers of every request, except `User-Agent` and those of CSRF protection. Several sources are merged.",
        "cloud.api_url": "An API whose URL begins with this one counts as Prefect Cloud.",
        "cloud.max_log_size": "The longest log record on Prefect Cloud, in characters.",
        "logging.level": "The lowest level of the worker's log, and of the worker's lines in the logs of runs.",
        "logging.colors": "Colours in the log on a terminal, if `PREFECT_CLI_COLORS` allows them too.",
        "logging.to_api.enabled": "Whether log records are sent to the API.",
        "logging.to_api.batch_interval": "Seconds for which log records are collected before they are sent.",
        "logging.to_api.batch_size": "The maximum size of the log records in one request, in bytes.",
        "logging.to_api.max_log_size": "The maximum size of one log record, in bytes; a longer one is cut.",
        "testing.test_mode": "The log is at `DEBUG`, profiles are not read. For Prefect's own tests.",
        "worker.debug_mode": "The worker's own log is at the level `DEBUG`.",
        "worker.heartbeat_seconds": "Seconds between two heartbeats.",
        "worker.query_seconds": "Seconds between two polls. When the API announces a run, the worker polls at once.",
        "worker.prefetch_seconds": "How many seconds before its scheduled time a run is claimed.",
        "worker.cancellation_poll_seconds":
            "Seconds between two checks for cancellations while runs are in flight; six times as long while the API "
            + "announces cancellations. Default: 5, but 120 in the Python worker.",
        "worker.webserver.host": "The address that `--with-healthcheck` answers at.",
        "worker.webserver.port": "The port that `--with-healthcheck` answers at; 0 means any free port.",
        "worker.enable_cancellation":
            "No effect: this worker always stops cancelled runs, whatever they run on. Passed to jobs.",
        "runner.crash_on_cancellation_failure":
            "No effect on the worker, which checks for cancellations until the API answers. Passed to jobs.",
        "silence_api_url_misconfiguration": "The worker does not warn about an API URL that looks wrong.",
    ]
}
