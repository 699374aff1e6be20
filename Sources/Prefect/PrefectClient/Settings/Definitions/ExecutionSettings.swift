extension SettingDefinition {
    /// The settings of tasks, telemetry, tests and workers, in the order Prefect forwards them: from `tasks` to the
    /// last.
    static let execution: [SettingDefinition] = [
        .init("tasks.refresh_cache", .bool, default: "False"),
        .init("tasks.default_no_cache", .bool, default: "False"),
        .init("tasks.disable_caching", .bool, default: "False"),
        .init("tasks.default_retries", .int(.atLeast(0)), default: "0", alias: "PREFECT_TASK_DEFAULT_RETRIES"),
        .init(
            "tasks.default_retry_delay_seconds", .retryDelayList, default: "0",
            alias: "PREFECT_TASK_DEFAULT_RETRY_DELAY_SECONDS"),
        .init("tasks.default_persist_result", .bool),
        .init(
            "tasks.runner.thread_pool_max_workers", .int(.above(0)),
            alias: "PREFECT_TASK_RUNNER_THREAD_POOL_MAX_WORKERS"),
        .init("tasks.runner.process_pool_max_workers", .int(.above(0))),
        .init(
            "tasks.scheduling.default_storage_block", .string,
            alias: "PREFECT_TASK_SCHEDULING_DEFAULT_STORAGE_BLOCK"),
        .init(
            "tasks.scheduling.delete_failed_submissions", .bool, default: "True",
            alias: "PREFECT_TASK_SCHEDULING_DELETE_FAILED_SUBMISSIONS"),
        .init("telemetry.enable_resource_metrics", .bool, default: "True"),
        .init("telemetry.resource_metrics_interval_seconds", .int(.atLeast(1)), default: "10"),
        PrefectSettings.Key.testMode.definition,
        .init("testing.unit_test_mode", .bool, default: "False", alias: "PREFECT_UNIT_TEST_MODE"),
        .init("testing.unit_test_loop_debug", .bool, default: "True", alias: "PREFECT_UNIT_TEST_LOOP_DEBUG"),
        .init("testing.test_setting", .anything, default: "FOO", alias: "PREFECT_TEST_SETTING"),
        PrefectSettings.Key.workerDebugMode.definition,
        PrefectSettings.Key.heartbeatSeconds.definition,
        PrefectSettings.Key.querySeconds.definition,
        PrefectSettings.Key.prefetchSeconds.definition,
        .init("worker.enable_cancellation", .bool, default: "False"),
        PrefectSettings.Key.cancellationPollSeconds.definition,
        PrefectSettings.Key.webserverHost.definition,
        PrefectSettings.Key.webserverPort.definition,
        .init("ui_url", .string),
        PrefectSettings.Key.silencesURLWarnings.definition,
    ]
}
