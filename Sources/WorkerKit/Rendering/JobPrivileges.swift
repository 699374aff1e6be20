internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// Prevents deployments and flow runs from setting the permissions of their runs on the worker's host.
struct JobPrivileges: Sendable {
    /// The fields of the job configuration that only the work pool may set.
    let fields: Set<String>
    /// The job variables that deployments and flow runs may set nevertheless, because the worker's operator allows it.
    let allowed: Set<String>

    /// Refuses job variables that fill such a field or have its name. A variable is accepted when its value is the
    /// template's default, or when it is allowed and the template has a placeholder for it.
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
                        + "only the pool sets it. Remove it from the deployment and the flow run")
            }
            guard allowed.contains(name) else {
                throw InfrastructureError(
                    .refused,
                    "The job variable '\(name)' decides what a run may do on the worker's host, so that only work pool "
                        + "'\(pool)' sets it. Set its default in the pool's base job template, or start the worker "
                        + "with --allow-job-variable \(name)")
            }
        }
    }
}
