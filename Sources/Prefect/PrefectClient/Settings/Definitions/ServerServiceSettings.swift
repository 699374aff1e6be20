extension SettingDefinition {
    /// The settings of a server's services, and the settings that follow them in `[server]`.
    static let serverServices: [SettingDefinition] = [
        .init(
            "server.services.cancellation_cleanup.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_CANCELLATION_CLEANUP_ENABLED"),
        .init(
            "server.services.cancellation_cleanup.loop_seconds", .float(), default: "20.0",
            alias: "PREFECT_API_SERVICES_CANCELLATION_CLEANUP_LOOP_SECONDS"),
        .init("server.services.cancellation_cleanup.cancelling_timeout_seconds", .float(.above(0)), default: "300.0"),
        .init("server.services.db_vacuum.enabled", .switchOrSet, default: "events"),
        .init("server.services.db_vacuum.loop_seconds", .float(.above(0)), default: "3600.0"),
        .init("server.services.db_vacuum.orphan_cleanup_loop_seconds", .float(.above(0)), default: "86400.0"),
        .init("server.services.db_vacuum.retention_period", .seconds(above: .seconds(3600)), default: "P90D"),
        .init("server.services.db_vacuum.batch_size", .int(.above(0)), default: "200"),
        .init(
            "server.services.db_vacuum.event_retention_overrides", .durationMap,
            default: #"{"prefect.flow-run.heartbeat": "P7D"}"#),
        .init(
            "server.services.event_persister.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_EVENT_PERSISTER_ENABLED"),
        .init(
            "server.services.event_persister.batch_size", .int(.above(0)), default: "20",
            alias: "PREFECT_API_SERVICES_EVENT_PERSISTER_BATCH_SIZE"),
        .init(
            "server.services.event_persister.read_batch_size", .int(.above(0)), default: "1",
            alias: "PREFECT_API_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE"),
        .init(
            "server.services.event_persister.flush_interval", .float(.above(0)), default: "5.0",
            alias: "PREFECT_API_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL"),
        .init("server.services.event_persister.queue_max_size", .int(.above(0)), default: "50000"),
        .init("server.services.event_persister.max_flush_retries", .int(.above(0)), default: "5"),
        .init(
            "server.services.event_logger.enabled", .bool, default: "False",
            alias: "PREFECT_API_SERVICES_EVENT_LOGGER_ENABLED"),
        .init("server.services.foreman.enabled", .bool, default: "True", alias: "PREFECT_API_SERVICES_FOREMAN_ENABLED"),
        .init(
            "server.services.foreman.loop_seconds", .float(), default: "15.0",
            alias: "PREFECT_API_SERVICES_FOREMAN_LOOP_SECONDS"),
        .init(
            "server.services.foreman.inactivity_heartbeat_multiple", .int(), default: "3",
            alias: "PREFECT_API_SERVICES_FOREMAN_INACTIVITY_HEARTBEAT_MULTIPLE"),
        .init(
            "server.services.foreman.fallback_heartbeat_interval_seconds", .int(), default: "30",
            alias: "PREFECT_API_SERVICES_FOREMAN_FALLBACK_HEARTBEAT_INTERVAL_SECONDS"),
        .init(
            "server.services.foreman.deployment_last_polled_timeout_seconds", .int(), default: "60",
            alias: "PREFECT_API_SERVICES_FOREMAN_DEPLOYMENT_LAST_POLLED_TIMEOUT_SECONDS"),
        .init(
            "server.services.foreman.work_queue_last_polled_timeout_seconds", .int(), default: "60",
            alias: "PREFECT_API_SERVICES_FOREMAN_WORK_QUEUE_LAST_POLLED_TIMEOUT_SECONDS"),
        .init(
            "server.services.late_runs.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_LATE_RUNS_ENABLED"),
        .init(
            "server.services.late_runs.loop_seconds", .float(), default: "5.0",
            alias: "PREFECT_API_SERVICES_LATE_RUNS_LOOP_SECONDS"),
        .init(
            "server.services.late_runs.after_seconds", .seconds(), default: "PT15S",
            alias: "PREFECT_API_SERVICES_LATE_RUNS_AFTER_SECONDS"),
        .init(
            "server.services.scheduler.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_SCHEDULER_ENABLED"),
        .init(
            "server.services.scheduler.loop_seconds", .float(), default: "60.0",
            alias: "PREFECT_API_SERVICES_SCHEDULER_LOOP_SECONDS"),
        .init(
            "server.services.scheduler.deployment_batch_size", .int(), default: "100",
            alias: "PREFECT_API_SERVICES_SCHEDULER_DEPLOYMENT_BATCH_SIZE"),
        .init(
            "server.services.scheduler.max_runs", .int(), default: "100",
            alias: "PREFECT_API_SERVICES_SCHEDULER_MAX_RUNS"),
        .init(
            "server.services.scheduler.min_runs", .int(), default: "3",
            alias: "PREFECT_API_SERVICES_SCHEDULER_MIN_RUNS"),
        .init(
            "server.services.scheduler.max_scheduled_time", .duration, default: "P100D",
            alias: "PREFECT_API_SERVICES_SCHEDULER_MAX_SCHEDULED_TIME"),
        .init(
            "server.services.scheduler.min_scheduled_time", .duration, default: "PT1H",
            alias: "PREFECT_API_SERVICES_SCHEDULER_MIN_SCHEDULED_TIME"),
        .init(
            "server.services.scheduler.insert_batch_size", .int(), default: "500",
            alias: "PREFECT_API_SERVICES_SCHEDULER_INSERT_BATCH_SIZE"),
        .init("server.services.scheduler.recent_deployments_loop_seconds", .float(), default: "5.0"),
        .init(
            "server.services.pause_expirations.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_PAUSE_EXPIRATIONS_ENABLED"),
        .init(
            "server.services.pause_expirations.loop_seconds", .float(), default: "5.0",
            alias: "PREFECT_API_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS"),
        .init("server.services.repossessor.enabled", .bool, default: "True"),
        .init("server.services.repossessor.loop_seconds", .float(), default: "15.0"),
        .init("server.services.cleanup_reconciler.enabled", .bool, default: "True"),
        .init("server.services.cleanup_reconciler.loop_seconds", .float(.above(0)), default: "5.0"),
        .init("server.services.cleanup_reconciler.batch_size", .int(.above(0)), default: "100"),
        .init(
            "server.services.task_run_recorder.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_TASK_RUN_RECORDER_ENABLED"),
        .init("server.services.task_run_recorder.read_batch_size", .int(.above(0)), default: "1"),
        .init("server.services.task_run_recorder.batch_size", .int(.above(0)), default: "1"),
        .init("server.services.task_run_recorder.flush_interval", .float(.above(0)), default: "5.0"),
        .init(
            "server.services.triggers.enabled", .bool, default: "True",
            alias: "PREFECT_API_SERVICES_TRIGGERS_ENABLED"),
        .init("server.services.triggers.read_batch_size", .int(.above(0)), default: "1"),
        .init("server.services.triggers.pg_notify_reconnect_interval_seconds", .int(), default: "10"),
        .init("server.services.triggers.pg_notify_heartbeat_interval_seconds", .int(), default: "5"),
        .init(
            "server.tasks.tag_concurrency_slot_wait_seconds", .float(.atLeast(0)), default: "10.0",
            alias: "PREFECT_TASK_RUN_TAG_CONCURRENCY_SLOT_WAIT_SECONDS"),
        .init(
            "server.tasks.max_cache_key_length", .int(), default: "2000",
            alias: "PREFECT_API_TASK_CACHE_KEY_MAX_LENGTH"),
        .init(
            "server.tasks.scheduling.max_scheduled_queue_size", .int(), default: "1000",
            alias: "PREFECT_TASK_SCHEDULING_MAX_SCHEDULED_QUEUE_SIZE"),
        .init(
            "server.tasks.scheduling.max_retry_queue_size", .int(), default: "100",
            alias: "PREFECT_TASK_SCHEDULING_MAX_RETRY_QUEUE_SIZE"),
        .init(
            "server.tasks.scheduling.pending_task_timeout", .duration, default: "PT0S",
            alias: "PREFECT_TASK_SCHEDULING_PENDING_TASK_TIMEOUT"),
        .init("server.ui.enabled", .bool, default: "True", alias: "PREFECT_UI_ENABLED"),
        .init("server.ui.v2_enabled", .bool, default: "True"),
        .init("server.ui.api_url", .string, alias: "PREFECT_UI_API_URL"),
        .init("server.ui.serve_base", .string, default: "/", alias: "PREFECT_UI_SERVE_BASE"),
        .init("server.ui.static_directory", .string, alias: "PREFECT_UI_STATIC_DIRECTORY"),
        .init("server.ui.show_promotional_content", .bool, default: "True"),
        .init(
            "server.worker_channel.cleanup_queue_storage", .string,
            default: "prefect.server.worker_communication.cleanup_queue.memory"),
        .init("server.worker_channel.cleanup_lease_seconds", .float(.above(0)), default: "30.0"),
        .init("server.worker_channel.cleanup_max_delivery_attempts", .int(.atLeast(1)), default: "3"),
        .init("server.worker_channel.cleanup_completed_idempotency_retention_seconds", .float(.atLeast(0))),
    ]
}
