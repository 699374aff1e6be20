package import BackendKit
package import JobTemplates
internal import OrderedCollections
package import PrefectClient
internal import PrefectJSON

extension PoolJobs {
    /// The jobs of a pool at the API; `nil` when its template cannot be read.
    ///
    /// - Parameter defaultTemplate: The template for a pool without one, if that is known.
    package init?(
        of pool: WorkPool, defaultTemplate: BaseJobTemplate?, environment: [String: String], api: APIClient,
        effort: RetryPolicy.Effort = .standard
    ) {
        guard
            let template = pool.baseJobTemplate.isEmpty
                ? defaultTemplate : try? BaseJobTemplate(json: .object(pool.baseJobTemplate))
        else {
            return nil
        }
        self.init(
            pool: pool.name, id: pool["id"]?.stringValue, template: template, environment: environment,
            references: APITemplateReferences(api: api, effort: effort)
        ) {
            let pools = WorkPoolFilter(name: .equals(pool.name))
            var found: [Deployment] = []
            for try await deployment in Pages({ limit, offset in
                try await api.readDeployments(
                    workPools: pools, sort: .createdDescending, limit: limit, offset: offset, effort: effort)
            }) {
                found.append(deployment)
            }
            return found
        }
    }
}
