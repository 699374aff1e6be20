package import BackendKit
internal import FoundationEssentials
internal import OrderedCollections
internal import PrefectFiles
package import PrefectJSON

extension GoogleCredentials {
    /// The credentials of a job: those of its block, or else those of the worker's environment.
    ///
    /// Throws ``InfrastructureError`` of the kind `refused`, which names the origin and never a secret.
    package static func read(_ block: JSONValue?, for host: BackendHost) throws(InfrastructureError) -> Self {
        let block = block ?? .null
        guard block.isNull || block.objectValue != nil else {
            throw credentialsError(
                "The job variable 'credentials' should be a block of the type gcp-credentials but its type is "
                    + "\(block.typeName); correct it or leave it out")
        }
        let file = block["service_account_file"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        let information = try information(block["service_account_info"])
        let project = block["project"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        var credentials: Self
        switch (file, information) {
        case (.some, .some):
            throw credentialsError(
                "The block of credentials has 'service_account_file' and 'service_account_info': remove one of them")
        case (let file?, nil):
            guard host.allowsHostCredentials else {
                throw credentialsError(
                    "The block of credentials names the file '\(file)' of the worker's host, which jobs may not use: "
                        + "start the worker with --allow-host-credentials, or put the key into 'service_account_info'")
            }
            credentials = try reading(file: file, as: "file '\(file)' of the block", for: host)
        case (nil, let information?):
            credentials = try CredentialFile(
                json: information, origin: "service_account_info of the block",
                isTrusted: host.allowsHostCredentials
            ).credentials()
        case (nil, nil):
            credentials = try surroundings(host)
        }
        if let project { credentials.project = project }
        return credentials
    }

    private static func information(_ value: JSONValue?) throws(InfrastructureError) -> JSONValue? {
        switch value {
        case nil, .null?: return nil
        case .object(let members)?: return members.isEmpty ? nil : .object(members)
        case .string(let text)?:
            if text.isEmpty { return nil }
            if let json = try? JSONValue(parsing: Array(text.utf8)), json.objectValue != nil { return json }
            throw credentialsError(
                "'service_account_info' of the block of credentials is no JSON object: paste the whole key file")
        case .some:
            throw credentialsError(
                "'service_account_info' of the block of credentials should be an object: paste the whole key file")
        }
    }

    /// The application default credentials of the worker's environment.
    static func surroundings(_ host: BackendHost) throws(InfrastructureError) -> Self {
        let environment = host.environment
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        let directory = GoogleDirectory(environment)
        var searched: [String] = []
        var credentials: Self
        if let path = value("GOOGLE_APPLICATION_CREDENTIALS") {
            credentials = try reading(
                file: path, as: "file '\(path)' that GOOGLE_APPLICATION_CREDENTIALS names", for: host)
        } else {
            searched.append("GOOGLE_APPLICATION_CREDENTIALS is not set")
            let path = directory.defaultCredentials
            if let path, FileManager.default.fileExists(atPath: path) {
                credentials = try reading(file: path, as: "file '\(path)' of gcloud", for: host)
            } else {
                searched.append(path.map { "'\($0)' does not exist" } ?? "HOME is not set")
                if value("NO_GCE_CHECK")?.lowercased() == "true" {
                    searched.append("NO_GCE_CHECK excludes the metadata server")
                    throw nothingFound(searched)
                }
                credentials = Self(source: .metadataServer, origin: "metadata server", searched: searched)
            }
        }
        // The project of the environment precedes the one of the file, but not the one that pays.
        credentials.project =
            credentials.quotaProject ?? value("GOOGLE_CLOUD_PROJECT") ?? value("GCLOUD_PROJECT") ?? credentials.project
            ?? directory.project
        if let project = value("GOOGLE_CLOUD_QUOTA_PROJECT") { credentials.quotaProject = project }
        if let universe = value("GOOGLE_CLOUD_UNIVERSE_DOMAIN") { credentials.universe = universe }
        return credentials
    }

    /// The error of a chain without credentials: one line with all places that were searched.
    static func nothingFound(_ searched: [String]) -> InfrastructureError {
        credentialsError(
            "No credentials for Google Cloud were found: \(searched.joined(separator: ", ")). Set "
                + "GOOGLE_APPLICATION_CREDENTIALS, run 'gcloud auth application-default login', or give the pool a block "
                + "of credentials")
    }

    private static func reading(
        file path: String, as origin: String, for host: BackendHost
    ) throws(InfrastructureError) -> Self {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw credentialsError("The \(origin) cannot be read: correct the path or its permissions")
        }
        guard data.count <= 1 << 20, let json = try? JSONValue(parsing: Array(data)), json.objectValue != nil else {
            throw credentialsError("The \(origin) is no JSON object: it should hold credentials of Google Cloud")
        }
        return try CredentialFile(json: json, origin: origin, isTrusted: true).credentials()
    }
}

/// The directory in which gcloud keeps its configuration.
struct GoogleDirectory {
    private let directory: String?
    private let environment: [String: String]

    init(_ environment: [String: String]) {
        self.environment = environment
        if let path = environment["CLOUDSDK_CONFIG"], !path.isEmpty {
            directory = path
        } else {
            directory = environment["HOME"].map { "\($0)/.config/gcloud" }
        }
    }

    /// The path of the file of default credentials.
    var defaultCredentials: String? { directory.map { "\($0)/application_default_credentials.json" } }

    /// The project that gcloud is configured for.
    var project: String? {
        if let project = environment["CLOUDSDK_CORE_PROJECT"], !project.isEmpty { return project }
        guard let directory else { return nil }
        let active = environment["CLOUDSDK_ACTIVE_CONFIG_NAME"] ?? text("\(directory)/active_config") ?? "default"
        let name = active.filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" }
        guard let lines = text("\(directory)/configurations/config_\(name)")?.split(whereSeparator: \.isNewline) else {
            return nil
        }
        var isCore = false
        for line in lines {
            let line = line.filter { !$0.isWhitespace }
            if line.hasPrefix("[") { isCore = line == "[core]" }
            if isCore, line.hasPrefix("project=") { return String(line.dropFirst("project=".count)) }
        }
        return nil
    }

    private func text(_ path: String) -> String? {
        FileManager.default.contents(atPath: path).flatMap {
            $0.count <= 1 << 16 ? String(decoding: $0, as: UTF8.self) : nil
        }
    }
}
