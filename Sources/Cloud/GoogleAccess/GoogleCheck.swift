package import BackendKit
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectREST

/// Checks the identities, projects and permissions that the jobs of pools use. Creates nothing.
package struct GoogleCheck: Sendable {
    /// A project and a region that jobs name.
    package struct Place: Sendable {
        /// The configured credentials.
        package let credentials: GoogleCredentials
        /// The tokens for the credentials.
        package let tokens: GoogleTokens
        /// The region.
        package let region: String
        /// The rendered fields that name the place.
        package let fields: JSONValue
    }

    let surroundings: GoogleSurroundings
    let host: BackendHost
    /// The region of a job that names none.
    let defaultRegion: String

    /// A check for a worker.
    package init(surroundings: GoogleSurroundings, host: BackendHost, defaultRegion: String) {
        self.surroundings = surroundings
        self.host = host
        self.defaultRegion = defaultRegion
    }

    private struct Key: Hashable {
        let credentials: GoogleCredentials
        let region: String
    }

    /// The report about all places that pools name; without a pool, about the worker's own place.
    ///
    /// - Parameters:
    ///   - fields: The fields of a job configuration that name the place.
    ///   - permissions: The permissions that the worker needs in the project.
    ///   - more: Further findings about a place that can be used.
    package func report(
        _ pools: [PoolJobs], fields: Set<String>, permissions: [String],
        more: (Place) async -> [BackendReport.Finding]
    ) async -> BackendReport {
        var findings: [BackendReport.Finding] = []
        var places: OrderedDictionary<Key, (JSONValue, String)> = [:]
        func add(_ fields: JSONValue, _ source: String, isPartial: Bool) {
            do {
                let credentials = try GoogleCredentials.read(fields["credentials"], for: host)
                let region = fields["region"]?.stringValue ?? defaultRegion
                let key = Key(credentials: credentials, region: try GoogleRegion.check(region))
                if places[key] == nil { places[key] = (fields, source) }
            } catch {
                findings.append(
                    .init(
                        subject: "credentials", detail: source.isEmpty ? error.message : "\(source): \(error.message)",
                        isGood: false, isPartial: isPartial))
            }
        }
        if pools.isEmpty { add(["region": .string(defaultRegion)], "", isPartial: false) }
        for pool in pools {
            do {
                for part in try await pool.parts(fields) { add(part.fields, part.source, isPartial: true) }
            } catch {
                findings.append(
                    .init(
                        subject: "jobs", detail: "the jobs of work pool '\(pool.pool)' are not checked: \(error)",
                        isGood: false, isPartial: true))
            }
        }
        for (key, (fields, source)) in places {
            let tokens = GoogleTokens(key.credentials, surroundings)
            let identity = await self.identity(tokens, source, isOnly: places.count == 1)
            findings.append(identity.finding)
            guard let project = identity.project else { continue }
            findings.append(await self.permissions(permissions, in: project, tokens))
            findings += await more(
                Place(credentials: key.credentials, tokens: tokens, region: key.region, fields: fields))
        }
        return BackendReport(findings: findings)
    }

    private func identity(
        _ tokens: GoogleTokens, _ source: String, isOnly: Bool
    ) async -> (finding: BackendReport.Finding, project: String?) {
        let prefix = source.isEmpty ? "" : "\(source): "
        do {
            _ = try await tokens.current()
            let project = try await tokens.project()
            let account = try await tokens.serviceAccount() ?? tokens.credentials.identity
            let detail = "\(prefix)\(account) in project '\(project)', from the \(tokens.credentials.origin)"
            return (.init(subject: "identity", detail: detail, isGood: true), project)
        } catch {
            return (
                .init(subject: "identity", detail: "\(prefix)\(error)", isGood: false, isPartial: !isOnly), nil
            )
        }
    }

    /// Whether the worker may run jobs as a service account.
    package func actAs(_ account: String, _ tokens: GoogleTokens) async -> BackendReport.Finding {
        let permission = "iam.serviceAccounts.actAs"
        let path: RequestPath = "/v1/projects/-/serviceAccounts/\(account, keeping: "@")"
        do {
            let granted = try await granted([permission], of: "iam", path, account, tokens)
            if granted.contains(permission) { return .init(subject: "jobs run as", detail: account, isGood: true) }
            return .init(
                subject: "jobs run as",
                detail: "\(tokens.credentials.identity) lacks \(permission) for '\(account)': grant it "
                    + "roles/iam.serviceAccountUser", isGood: false, isPartial: true)
        } catch {
            return .init(subject: "jobs run as", detail: "\(account); \(permission) is not tested", isGood: true)
        }
    }

    private func granted(
        _ permissions: [String], of service: String, _ path: RequestPath, _ resource: String, _ tokens: GoogleTokens
    ) async throws -> Set<String> {
        let request = GoogleRequest(
            .post,
            GoogleURL.service(
                service, host: service, universe: tokens.credentials.universe, environment: surroundings.environment),
            RequestPath(encoded: "\(path.encoded):testIamPermissions"),
            body: ["permissions": .array(permissions.map(JSONValue.string))],
            operation: "Testing the permissions for '\(resource)'")
        let answer = try await GoogleClient(tokens).json(request)
        return Set((answer["permissions"]?.arrayValue ?? []).compactMap(\.stringValue))
    }

    private func permissions(
        _ permissions: [String], in project: String, _ tokens: GoogleTokens
    ) async -> BackendReport.Finding {
        let path: RequestPath = "/v1/projects/\(project, keeping: ":")"
        do {
            let granted = try await granted(permissions, of: "cloudresourcemanager", path, project, tokens)
            let missing = permissions.filter { !granted.contains($0) }
            guard missing.isEmpty else {
                return .init(
                    subject: "permissions",
                    detail:
                        "\(tokens.credentials.identity) lacks \(missing.joined(separator: ", ")) in project '\(project)': grant a "
                        + "role with them", isGood: false, isPartial: true)
            }
            return .init(subject: "permissions", detail: "all granted in project '\(project)'", isGood: true)
        } catch {
            // The API that tests permissions need not be enabled in a project.
            return .init(
                subject: "permissions", detail: "not tested: \(error)", isGood: true)
        }
    }
}
