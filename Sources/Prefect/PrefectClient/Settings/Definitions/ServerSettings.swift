extension SettingDefinition {
    /// The settings of a server itself: `[server]` without its services.
    static let server: [SettingDefinition] = [
        .init("server.logging_level", .logLevel, default: "WARNING", alias: "PREFECT_LOGGING_SERVER_LEVEL"),
        .init("server.analytics_enabled", .bool, default: "True"),
        .init("server.metrics_enabled", .bool, default: "False", alias: "PREFECT_API_ENABLE_METRICS"),
        .init("server.log_retryable_errors", .bool, default: "False", alias: "PREFECT_API_LOG_RETRYABLE_ERRORS"),
        .init("server.register_blocks_on_start", .bool, default: "True", alias: "PREFECT_API_BLOCKS_REGISTER_ON_START"),
        .init(
            "server.memoize_block_auto_registration", .bool, default: "True",
            alias: "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION"),
        .init("server.memo_store_path", .path, alias: "PREFECT_MEMO_STORE_PATH"),
        .init(
            "server.deployment_schedule_max_scheduled_runs", .int(), default: "50",
            alias: "PREFECT_DEPLOYMENT_SCHEDULE_MAX_SCHEDULED_RUNS"),
        .init("server.api.auth_string", .secret),
        .init("server.api.host", .string, default: "127.0.0.1"),
        .init("server.api.port", .int(), default: "4200"),
        .init("server.api.base_path", .string),
        .init("server.api.default_limit", .int(), default: "200", alias: "PREFECT_API_DEFAULT_LIMIT"),
        .init("server.api.keepalive_timeout", .int(), default: "5"),
        .init(
            "server.api.csrf_protection_enabled", .bool, default: "False",
            alias: "PREFECT_SERVER_CSRF_PROTECTION_ENABLED"),
        .init(
            "server.api.csrf_token_expiration", .duration, default: "PT1H",
            alias: "PREFECT_SERVER_CSRF_TOKEN_EXPIRATION"),
        .init("server.api.cors_allowed_origins", .string, default: "*", alias: "PREFECT_SERVER_CORS_ALLOWED_ORIGINS"),
        .init("server.api.cors_allowed_methods", .string, default: "*", alias: "PREFECT_SERVER_CORS_ALLOWED_METHODS"),
        .init("server.api.cors_allowed_headers", .string, default: "*", alias: "PREFECT_SERVER_CORS_ALLOWED_HEADERS"),
        .init("server.api.websocket_ping_interval", .float(), default: "20.0"),
        .init("server.api.websocket_ping_timeout", .float(), default: "20.0"),
        .init("server.api.max_parameter_size", .int(.atLeast(0)), default: "524288"),
        .init("server.concurrency.lease_storage", .string, default: "prefect.server.concurrency.lease_storage.memory"),
        .init("server.concurrency.initial_deployment_lease_duration", .float(.between(30, 3600)), default: "300.0"),
        .init("server.concurrency.maximum_concurrency_slot_wait_seconds", .float(.atLeast(0)), default: "30.0"),
        .init("server.database.sqlalchemy.connect_args.application_name", .string),
        .init("server.database.sqlalchemy.connect_args.search_path", .string),
        .init("server.database.sqlalchemy.connect_args.statement_cache_size", .int()),
        .init("server.database.sqlalchemy.connect_args.prepared_statement_cache_size", .int()),
        .init("server.database.sqlalchemy.connect_args.tls.enabled", .bool, default: "False"),
        .init("server.database.sqlalchemy.connect_args.tls.ca_file", .string),
        .init("server.database.sqlalchemy.connect_args.tls.cert_file", .string),
        .init("server.database.sqlalchemy.connect_args.tls.key_file", .string),
        .init("server.database.sqlalchemy.connect_args.tls.check_hostname", .bool, default: "True"),
        .init("server.database.sqlalchemy.pool_size", .int(), default: "5", alias: "PREFECT_SQLALCHEMY_POOL_SIZE"),
        .init("server.database.sqlalchemy.pool_recycle", .int(), default: "3600"),
        .init("server.database.sqlalchemy.pool_timeout", .float(), default: "30.0"),
        .init(
            "server.database.sqlalchemy.max_overflow", .int(), default: "10",
            alias: "PREFECT_SQLALCHEMY_MAX_OVERFLOW"),
        .init("server.database.connection_url", .secret, alias: "PREFECT_API_DATABASE_CONNECTION_URL"),
        .init(
            "server.database.driver", .choice(["postgresql+asyncpg", "sqlite+aiosqlite"]),
            alias: "PREFECT_API_DATABASE_DRIVER"),
        .init("server.database.host", .string, alias: "PREFECT_API_DATABASE_HOST"),
        .init("server.database.port", .int(), alias: "PREFECT_API_DATABASE_PORT"),
        .init("server.database.user", .string, alias: "PREFECT_API_DATABASE_USER"),
        .init("server.database.name", .string, alias: "PREFECT_API_DATABASE_NAME"),
        .init("server.database.password", .secret, alias: "PREFECT_API_DATABASE_PASSWORD"),
        .init("server.database.echo", .bool, default: "False", alias: "PREFECT_API_DATABASE_ECHO"),
        .init(
            "server.database.migrate_on_start", .bool, default: "True",
            alias: "PREFECT_API_DATABASE_MIGRATE_ON_START"),
        .init("server.database.timeout", .float(), default: "10.0", alias: "PREFECT_API_DATABASE_TIMEOUT"),
        .init(
            "server.database.connection_timeout", .float(), default: "5.0",
            alias: "PREFECT_API_DATABASE_CONNECTION_TIMEOUT"),
        .init("server.database.migration_timeout", .float(.above(0))),
        .init(
            "server.deployments.concurrency_slot_wait_seconds", .float(.atLeast(0)), default: "30.0",
            alias: "PREFECT_DEPLOYMENT_CONCURRENCY_SLOT_WAIT_SECONDS"),
        .init("server.docket.name", .string, default: "prefect-server"),
        .init("server.docket.url", .string, default: "memory://"),
        .init("server.ephemeral.enabled", .bool, default: "False", alias: "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"),
        .init("server.ephemeral.startup_timeout_seconds", .int(), default: "20"),
        .init(
            "server.events.stream_out_enabled", .bool, default: "True",
            alias: "PREFECT_API_EVENTS_STREAM_OUT_ENABLED"),
        .init(
            "server.events.related_resource_cache_ttl", .duration, default: "PT5M",
            alias: "PREFECT_API_EVENTS_RELATED_RESOURCE_CACHE_TTL"),
        .init(
            "server.events.maximum_labels_per_resource", .int(), default: "500",
            alias: "PREFECT_EVENTS_MAXIMUM_LABELS_PER_RESOURCE"),
        .init(
            "server.events.maximum_related_resources", .int(), default: "100",
            alias: "PREFECT_EVENTS_MAXIMUM_RELATED_RESOURCES"),
        .init(
            "server.events.maximum_size_bytes", .int(), default: "1500000",
            alias: "PREFECT_EVENTS_MAXIMUM_SIZE_BYTES"),
        .init(
            "server.events.expired_bucket_buffer", .duration, default: "PT1M",
            alias: "PREFECT_EVENTS_EXPIRED_BUCKET_BUFFER"),
        .init(
            "server.events.proactive_granularity", .duration, default: "PT5S",
            alias: "PREFECT_EVENTS_PROACTIVE_GRANULARITY"),
        .init("server.events.retention_period", .duration, default: "P7D", alias: "PREFECT_EVENTS_RETENTION_PERIOD"),
        .init(
            "server.events.maximum_websocket_backfill", .duration, default: "PT15M",
            alias: "PREFECT_EVENTS_MAXIMUM_WEBSOCKET_BACKFILL"),
        .init(
            "server.events.websocket_backfill_page_size", .int(.above(0)), default: "250",
            alias: "PREFECT_EVENTS_WEBSOCKET_BACKFILL_PAGE_SIZE"),
        .init(
            "server.events.messaging_broker", .string, default: "prefect.server.utilities.messaging.memory",
            alias: "PREFECT_MESSAGING_BROKER"),
        .init(
            "server.events.messaging_cache", .string, default: "prefect.server.utilities.messaging.memory",
            alias: "PREFECT_MESSAGING_CACHE"),
        .init("server.events.causal_ordering", .string, default: "prefect.server.events.ordering.memory"),
        .init("server.events.maximum_event_name_length", .int(.above(0)), default: "1024"),
        .init(
            "server.flow_run_graph.max_nodes", .int(), default: "10000",
            alias: "PREFECT_API_MAX_FLOW_RUN_GRAPH_NODES"),
        .init(
            "server.flow_run_graph.max_artifacts", .int(), default: "10000",
            alias: "PREFECT_API_MAX_FLOW_RUN_GRAPH_ARTIFACTS"),
        .init("server.logs.stream_out_enabled", .bool, default: "False"),
        .init("server.logs.stream_publishing_enabled", .bool, default: "False"),
    ]
}
