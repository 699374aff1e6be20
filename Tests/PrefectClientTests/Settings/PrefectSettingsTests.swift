import Testing

@testable import PrefectClient

@Suite("Settings of a worker")
struct PrefectSettingsTests {
    @Test("settings without any source have Prefect's defaults")
    func defaults() throws {
        let directory = try SettingsDirectory()
        let settings = try directory.load()
        #expect(settings.apiURL == nil)
        #expect(settings.apiBaseURL == nil)
        #expect(settings.apiKey == nil)
        #expect(settings.authString == nil)
        #expect(settings.requestTimeout == .seconds(60))
        #expect(!settings.enableHTTP2)
        #expect(!settings.tlsInsecureSkipVerify)
        #expect(settings.sslCertFile == nil)
        #expect(settings.customHeaders.isEmpty)
        #expect(settings.maxRetries == 5)
        #expect(settings.retryJitterFactor == 0.2)
        #expect(settings.retryExtraCodes.isEmpty)
        #expect(settings.csrfSupportEnabled)
        #expect(settings.clientMetricsPort == 4201)
        #expect(settings.cloudAPIURL == "https://api.prefect.cloud/api")
        #expect(settings.cloudMaxLogSize == 25_000)
        #expect(!settings.isCloud)
        #expect(!settings.debugMode)
        #expect(settings.loggingLevel == .info)
        #expect(
            settings.apiLogging
                == .init(isEnabled: true, batchInterval: .seconds(2), batchSize: 4_000_000, maxLogSize: 1_000_000))
        #expect(settings.home == directory.home + "/.prefect")
        #expect(
            settings.worker
                == .init(
                    heartbeatSeconds: 30, querySeconds: 10, prefetchSeconds: 10, webserverHost: "0.0.0.0",
                    webserverPort: 8080, debugMode: false, cancellationPollSeconds: 120))
    }

    @Test("each setting is read from its variable")
    func values() throws {
        let settings = try settings([
            "PREFECT_API_URL": "http://h/api//", "PREFECT_API_KEY": "k", "PREFECT_API_AUTH_STRING": "u:p",
            "PREFECT_API_REQUEST_TIMEOUT": "2.5", "PREFECT_API_ENABLE_HTTP2": "1",
            "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": "1", "PREFECT_API_SSL_CERT_FILE": "/ca.pem",
            "PREFECT_CLIENT_CUSTOM_HEADERS": #"{"b": "1", "a": "2"}"#, "PREFECT_CLIENT_MAX_RETRIES": "7",
            "PREFECT_CLIENT_RETRY_JITTER_FACTOR": "0.5", "PREFECT_CLIENT_RETRY_EXTRA_CODES": "504,500",
            "PREFECT_CLIENT_CSRF_SUPPORT_ENABLED": "0", "PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED": "0",
            "PREFECT_CLIENT_METRICS_ENABLED": "1", "PREFECT_CLIENT_METRICS_PORT": "9", "PREFECT_LOGGING_LEVEL": "error",
            "PREFECT_LOGGING_TO_API_ENABLED": "0", "PREFECT_LOGGING_TO_API_BATCH_INTERVAL": "0.5",
            "PREFECT_LOGGING_TO_API_BATCH_SIZE": "20", "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE": "10",
            "PREFECT_HOME": "/ph/", "PREFECT_WORKER_HEARTBEAT_SECONDS": "1.5", "PREFECT_WORKER_QUERY_SECONDS": "2",
            "PREFECT_WORKER_PREFETCH_SECONDS": "3", "PREFECT_WORKER_WEBSERVER_HOST": "::1",
            "PREFECT_WORKER_WEBSERVER_PORT": "81", "PREFECT_WORKER_DEBUG_MODE": "1",
            "PREFECT_WORKER_ENABLE_CANCELLATION": "1", "PREFECT_WORKER_CANCELLATION_POLL_SECONDS": "4",
            "PREFECT_RUNNER_CRASH_ON_CANCELLATION_FAILURE": "1", "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES": "1",
            "SSL_CERT_FILE": "/system.pem",
        ])
        #expect(settings.apiURL == "http://h/api//")
        #expect(settings.apiBaseURL == "http://h/api")
        #expect(settings.apiKey?.reveal() == "k")
        #expect(settings.authString?.reveal() == "u:p")
        #expect(settings.requestTimeout == .milliseconds(2500))
        #expect(settings.enableHTTP2)
        #expect(settings.tlsInsecureSkipVerify)
        #expect(settings.sslCertFile == "/ca.pem")
        #expect(settings.customHeaders.map(\.name) == ["b", "a"])
        #expect(settings.maxRetries == 7)
        #expect(settings.retryJitterFactor == 0.5)
        #expect(settings.retryExtraCodes == [500, 504])
        #expect(!settings.csrfSupportEnabled)
        #expect(settings.clientMetricsPort == 9)
        #expect(settings.loggingLevel == .error)
        #expect(
            settings.apiLogging
                == .init(isEnabled: false, batchInterval: .milliseconds(500), batchSize: 20, maxLogSize: 10))
        #expect(settings.home == "/ph")
        #expect(
            settings.worker
                == .init(
                    heartbeatSeconds: 1.5, querySeconds: 2, prefetchSeconds: 3, webserverHost: "::1", webserverPort: 81,
                    debugMode: true, cancellationPollSeconds: 4))
    }

    @Test("SSL_CERT_FILE names the certificates unless Prefect's own setting is set")
    func certificates() throws {
        #expect(try settings(["SSL_CERT_FILE": "/s.pem"]).sslCertFile == "/s.pem")
        #expect(try settings(["SSL_CERT_FILE": ""]).sslCertFile == nil)
        #expect(try settings(["SSL_CERT_FILE": "/s.pem", "PREFECT_API_SSL_CERT_FILE": ""]).sslCertFile == nil)
        #expect(try settings(["SSL_CERT_FILE": "/s.pem"]).jobVariables.isEmpty)
    }

    @Test("debug mode sets the log level to DEBUG")
    func debugMode() throws {
        #expect(try settings(["PREFECT_DEBUG_MODE": "1", "PREFECT_LOGGING_LEVEL": "ERROR"]).loggingLevel == .debug)
    }

    @Test("a relative PREFECT_HOME is resolved against the working directory")
    func relativeHome() throws {
        let directory = try SettingsDirectory()
        #expect(try directory.load(["PREFECT_HOME": "rel"]).home == directory.work + "/rel")
    }

    @Test("without HOME the home directory comes from the password database")
    func withoutHome() throws {
        let directory = try SettingsDirectory()
        let settings = try PrefectSettings.load(environment: [:], workingDirectory: directory.work)
        #expect(settings.home.hasPrefix("/"))
        #expect(settings.home.hasSuffix("/.prefect"))
    }

    @Test("on Prefect Cloud the maximum size of log records is limited and forwarded to jobs")
    func cloud() throws {
        let url = "https://api.prefect.cloud/api/accounts/a/workspaces/w"
        let plain = try settings(["PREFECT_API_URL": url])
        #expect(plain.isCloud)
        #expect(plain.apiLogging.maxLogSize == 25_000)
        #expect(plain.jobVariables["PREFECT_LOGGING_TO_API_MAX_LOG_SIZE"] == "25000")
        #expect(
            plain.source(of: "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE") == .consequence(of: "PREFECT_CLOUD_MAX_LOG_SIZE"))
        let smaller = try settings(["PREFECT_API_URL": url, "PREFECT_LOGGING_TO_API_MAX_LOG_SIZE": "100"])
        #expect(smaller.apiLogging.maxLogSize == 100)
        let other = try settings(["PREFECT_API_URL": "https://own/api/x", "PREFECT_CLOUD_API_URL": "https://own/api"])
        #expect(other.isCloud)
        #expect(try !settings(["PREFECT_API_URL": "https://x", "PREFECT_CLOUD_API_URL": ""]).isCloud)
    }

    @Test("a Cloud URL that looks wrong causes warnings unless they are silenced")
    func misconfiguredURL() throws {
        let url = "https://app.prefect.cloud/account/a/workspace/w"
        #expect(try settings(["PREFECT_API_URL": url]).warnings.count == 3)
        #expect(try settings(["PREFECT_API_URL": "https://api.prefect.cloud/accounts/a"]).warnings.count == 1)
        #expect(
            try settings(["PREFECT_API_URL": url, "PREFECT_SILENCE_API_URL_MISCONFIGURATION": "1"]).warnings.isEmpty)
    }
}
