internal import AzureAccess
public import BackendKit
internal import HTTPTransport
internal import OrderedCollections
internal import PrefectJSON
internal import PrefectREST

extension ContainerInstancesService {
    private typealias Finding = BackendReport.Finding

    /// Checks the credentials, and the resource groups that the templates and the deployments of the pools name. Creates
    /// nothing. Without a pool, it checks the credentials of the worker's host.
    public func check(_ pools: [PoolJobs]) async -> BackendReport {
        var findings: [Finding] = []
        var places: OrderedDictionary<ContainerInstancesPlace, String> = [:]
        for pool in pools {
            do {
                let fields: Set = ["resource_group_name", "subscription_id", "aci_credentials"]
                for part in try await pool.parts(fields) {
                    guard
                        let configuration = try? ContainerInstancesConfiguration(
                            rendered: part.fields, isComplete: false), configuration.place != nil
                    else { continue }
                    let place = ContainerInstancesPlace(
                        group: configuration.place, credentials: configuration.credentials)
                    if places[place] == nil { places[place] = part.source }
                }
                findings += await images(of: pool)
            } catch {
                findings.append(
                    Finding(
                        subject: "resource groups",
                        detail: "the jobs of work pool '\(pool.pool)' cannot be read: \(error)", isGood: false,
                        isPartial: true))
            }
        }
        if places.isEmpty {
            if !pools.isEmpty {
                findings.append(
                    Finding(
                        subject: "resource groups",
                        detail: "neither the template nor a deployment names 'resource_group_name' and "
                            + "'subscription_id'; each flow run has to", isGood: true))
            }
            return BackendReport(findings: await identity(AzureCredentials(), "").findings + findings)
        }
        var known: Set<AzureCredentials> = []
        var usable: Set<AzureCredentials> = []
        var placeFindings: [Finding] = []
        for (place, source) in places {
            if known.insert(place.credentials).inserted {
                let result = await identity(place.credentials, source, isPartial: places.count > 1)
                findings.insert(contentsOf: result.findings, at: 0)
                if result.isUsable { usable.insert(place.credentials) }
            }
            if usable.contains(place.credentials) {
                placeFindings += await check(place, source, isPartial: places.count > 1)
            }
        }
        return BackendReport(findings: findings + placeFindings)
    }

    private func identity(
        _ credentials: AzureCredentials, _ source: String, isPartial: Bool = false
    ) async -> (findings: [Finding], isUsable: Bool) {
        let named = source.isEmpty ? "" : ", which \(source) uses"
        do {
            let token = try await access.resourceManager(for: credentials).identity.current()
            let name = token.claim("appid") ?? token.claim("upn") ?? token.claim("oid")
            let tenant = token.claim("tid").map { " of tenant \($0)" } ?? ""
            let detail = "\(token.source)\(name.map { " (\($0)\(tenant))" } ?? "")\(named)"
            return ([Finding(subject: "identity", detail: detail, isGood: true)], true)
        } catch {
            return (
                [Finding(subject: "identity", detail: "\(error)\(named)", isGood: false, isPartial: isPartial)], false
            )
        }
    }

    private func check(_ place: ContainerInstancesPlace, _ source: String, isPartial: Bool) async -> [Finding] {
        guard let group = place.group, let client = try? client(at: place) else { return [] }
        var findings: [Finding] = []
        func add(_ subject: String, _ detail: String, isGood: Bool) {
            findings.append(
                Finding(subject: subject, detail: detail, isGood: isGood, isPartial: !isGood && isPartial))
        }
        do {
            let json = try await client.translating(in: group) {
                try await client.arm.send(
                    .get, Requests.resourceGroup(group), version: Requests.resourceGroups,
                    operation: "read resource group '\(group.name)'"
                ).json()
            }
            let region = json["location"]?.stringValue.map { " in \($0)" } ?? ""
            add(
                "resource group",
                "'\(group.name)'\(region), subscription \(group.subscription), which \(source) names", isGood: true)
        } catch let error as RemoteTaskError where error.kind != .refused || !error.message.contains("permission") {
            add("resource group", "'\(group.name)', which \(source) names: \(error.message)", isGood: false)
            return findings
        } catch {
            // An identity without the permission to read the group may still have all that runs need.
            add("resource group", "'\(group.name)' cannot be read: \(error)", isGood: true)
        }
        findings += await permissions(client, group, isPartial: isPartial)
        do {
            let groups = try await client.translating(in: group) { try await client.groups(in: group) }
            let marked = groups.filter { $0.status.owner != nil }
            add(
                "container groups",
                "\(groups.count) in '\(group.name)', \(marked.count) of them by workers like this one", isGood: true)
        } catch {
            add("container groups", "\(error)", isGood: false)
        }
        return findings
    }

    /// The images of a pool's jobs, with the credentials for their registries.
    private func images(of pool: PoolJobs) async -> [Finding] {
        guard let parts = try? await pool.parts(["image", "image_registry"]) else { return [] }
        var images: OrderedSet<String> = []
        for part in parts {
            let image = part.fields["image"]?.stringValue ?? "Prefect's own"
            let registry = (try? RegistryAccess(part.fields["image_registry"] ?? .null))?.description
            images.append("\(image)\(registry.map { ", \($0)" } ?? ", a public registry")")
        }
        return images.prefix(5).map { Finding(subject: "image", detail: $0, isGood: true) }
    }
}
