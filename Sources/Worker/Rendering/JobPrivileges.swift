internal import JSON
internal import JobTemplates
internal import OrderedCollections

/// Keeps deployments and flow runs from setting what their runs may do on the worker's host.
struct JobPrivileges: Sendable {
    /// The fields of the job configuration that are the work pool's to set.
    let fields: Set<String>
    /// The job variables that the worker's operator lets deployments and flow runs set all the same.
    let allowed: Set<String>

    /// Refuses job variables that such a field is made of or named after, unless their value is the template's default, or
    /// they are allowed and the template has a placeholder for them.
    func check(_ variables: JobVariables, _ template: BaseJobTemplate, pool: String) throws {
        guard !fields.isEmpty else { return }
        let filling = fields.reduce(into: Set<String>()) { $0.formUnion(template.variables(in: $1)) }
        let defaults = template.variableDefaults
        for (name, value) in try variables.expanded() where filling.contains(name) || fields.contains(name) {
            if value == defaults[name] ?? .null { continue }
            guard filling.contains(name) else {
                throw InfrastructureError(
                    .refused,
                    "The job variable '\(name)' has no placeholder in the base job template of work pool '\(pool)', and "
                        + "only the pool sets it; remove it from the deployment and the flow run")
            }
            guard allowed.contains(name) else {
                throw InfrastructureError(
                    .refused,
                    "The job variable '\(name)' decides what a run may do on the worker's host, so that only work pool "
                        + "'\(pool)' sets it; set its default in the pool's base job template, or start the worker with "
                        + "--allow-job-variable \(name)")
            }
        }
    }
}
