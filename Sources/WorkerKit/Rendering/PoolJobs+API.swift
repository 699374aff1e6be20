package import BackendKit
package import JobTemplates
package import PrefectClient
internal import PrefectJSON

extension PoolJobs {
    /// The jobs of a pool at the API; `nil` when its template cannot be read.
    ///
    /// - Parameter defaultTemplate: The template for a pool without one, if that is known.
    package init?(
        of pool: WorkerWorkPool, defaultTemplate: BaseJobTemplate?, environment: [String: String], api: APIClient,
        effort: RetryPolicy.Effort = .standard
    ) {
        guard let template = pool.hasTemplate ? try? BaseJobTemplate(json: pool.baseJobTemplate) : defaultTemplate
        else {
            return nil
        }
        self.init(
            pool: pool.name, id: pool.id.isEmpty ? nil : pool.id, template: template, environment: environment,
            references: APITemplateReferences(api: api, effort: effort)
        ) { try await api.readDeployments(ofPool: pool.name, effort: effort) }
    }
}
