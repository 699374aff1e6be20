import OrderedCollections
import PrefectClient
import PrefectJSON
import TestSupport
import Testing

@testable import KubernetesBackend

@Suite("The settings of Prefect's Kubernetes integration")
struct SettingsTests {
    private func settings(_ variables: [String: String]) -> KubernetesSettings {
        KubernetesSettings(
            IntegrationSettings(
                environment: Dictionary(
                    variables.map { ("PREFECT_INTEGRATIONS_KUBERNETES_\($0.key)", $0.value) }, uniquingKeysWith: { $1 })
            ))
    }

    @Test("the settings have Prefect's defaults, except that runs of other workers are not observed")
    func defaults() {
        let defaults = settings([:])
        #expect(
            defaults.creationAttempts == 3 && defaults.replicated == ObservationScope()
                && defaults.crashedLogLines == 500)
        #expect(defaults.observed == nil && defaults.warnings.isEmpty)
    }

    @Test("settings are read from the environment in any case and under old names, and invalid values cause warnings")
    func environment() {
        let prefix = "PREFECT_INTEGRATIONS_KUBERNETES_"
        let settings = KubernetesSettings(
            IntegrationSettings(environment: [
                "\(prefix)WORKER_CREATE_JOB_RETRY_MAX_RETRIES": "7", "\(prefix)OBSERVER_REPLICATE_POD_EVENTS": "no",
                "PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET": "1",
                "\(prefix)WORKER_STORE_ENV_AS_SECRET": "perhaps",
                "prefect_integrations_kubernetes_worker_api_key_secret_name": "keys",
                "\(prefix)OBSERVER_ADDITIONAL_LABEL_FILTERS": "team",
            ]))
        #expect(settings.creationAttempts == 7)
        #expect(settings.replicated == nil)
        #expect(settings.createsSecretForAPIKey && !settings.storesEnvironmentAsSecret)
        #expect(settings.apiKeySecret == .init(name: "keys", key: "value"))
        #expect(settings.observed == nil)
        #expect(
            settings.warnings == [
                "\(prefix)WORKER_STORE_ENV_AS_SECRET should be true or false (set by "
                    + "\(prefix)WORKER_STORE_ENV_AS_SECRET in the environment): its default applies; correct it",
                "\(prefix)OBSERVER_ADDITIONAL_LABEL_FILTERS should be labels and their values, like a=1,b=2 (set by "
                    + "\(prefix)OBSERVER_ADDITIONAL_LABEL_FILTERS in the environment): its default applies; correct it",
            ])
    }

    @Test("settings are read from Prefect's own settings files in their order, including lists and tables")
    func files() throws {
        let directory = try TemporaryDirectory()
        _ = try directory.write(
            "prefect.toml",
            """
            [integrations.kubernetes.observer]
            namespaces = ["t1", "t2"]
            forward_crashed_run_logs_tail_lines = 7
            [integrations.kubernetes.observer.additional_label_filters]
            team = "a"
            [integrations.kubernetes.worker]
            api_key_secret_name = "of prefect.toml"
            create_secret_for_api_key = true
            """)
        _ = try directory.write(
            "pyproject.toml",
            """
            [tool.prefect.integrations.kubernetes.worker]
            api_key_secret_name = "of pyproject.toml"
            create_job_retry.max_retries = 9
            """)
        _ = try directory.write(".env", "PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_KEY_SECRET_KEY=dot\n")
        _ = try directory.write(
            "profiles.toml",
            """
            active = "p"
            [profiles.p]
            PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_NAME = "auth"
            PREFECT_KUBERNETES_CLUSTER_UID = "known"
            """)
        let loaded = try PrefectSettings.load(
            environment: [
                "PREFECT_HOME": directory.path, "PREFECT_KUBERNETES_WORKER_STORE_PREFECT_API_IN_SECRET": "false",
            ], workingDirectory: directory.path)
        #expect(loaded.warnings.isEmpty)
        let settings = KubernetesSettings(loaded.integrations)
        #expect(settings.observed == ObservationScope(namespaces: ["t1", "t2"], labels: ["team": "a"]))
        #expect(settings.crashedLogLines == 7 && settings.creationAttempts == 9)
        #expect(settings.apiKeySecret == .init(name: "of prefect.toml", key: "dot"))
        #expect(settings.authStringSecret == .init(name: "auth", key: "value"))
        #expect(!settings.createsSecretForAPIKey)
        #expect(settings.warnings.isEmpty)
        #expect(loaded.environmentForJobs().map(\.name) == ["PREFECT_HOME"])
    }

    @Test(
        "namespaces, labels or a switch enable the observation of other workers' runs, in all of Prefect's forms",
        arguments: [
            (["OBSERVER_NAMESPACES": "a, b"], ObservationScope(namespaces: ["a", "b"])),
            (["OBSERVER_NAMESPACES": #"["a","b"]"#], ObservationScope(namespaces: ["a", "b"])),
            (["OBSERVER_ADDITIONAL_LABEL_FILTERS": "x=1, y = 2"], ObservationScope(labels: ["x": "1", "y": "2"])),
            (["OBSERVER_ADDITIONAL_LABEL_FILTERS": #"{"x":"1"}"#], ObservationScope(labels: ["x": "1"])),
            (["OBSERVER_ENABLED": "true"], ObservationScope()),
            (["OBSERVER_ENABLED": "false", "OBSERVER_NAMESPACES": "a"], nil),
            (["OBSERVER_NAMESPACES": ""], nil),
        ])
    func observed(variables: [String: String], expected: ObservationScope?) {
        let settings = settings(variables)
        #expect(settings.observed == expected)
        // The events of the worker's own pods have the same scope.
        #expect(
            settings.replicated == expected ?? (variables["OBSERVER_ENABLED"] == "false" ? nil : ObservationScope()))
    }
}
