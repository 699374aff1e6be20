import JobTemplates

/// The blocks and variables that templates name; this source has one variable.
struct Variables: TemplateReferences {
    func blockDocument(id: String) async throws -> JSONValue { throw ReferenceNotFound() }

    func blockDocument(typeSlug: String, name: String) async throws -> JSONValue { throw ReferenceNotFound() }

    func variable(named name: String) async throws -> JSONValue? { name == "region" ? "north" : nil }
}

/// Renders the job configuration of a run that sets one job variable: `{"command": "run north", "retries": 3}`.
func render() async throws -> String {
    let template = try BaseJobTemplate(json: [
        "job_configuration": ["command": "run {{ prefect.variables.region }}", "retries": "{{ retries }}"],
        "variables": ["type": "object", "properties": ["retries": ["type": "integer", "default": 1]]],
    ])
    let renderer = JobRenderer(template: template, environment: [:], references: Variables())
    return try await renderer.render(jobVariables: ["retries": 3]).serialized(.pretty)
}
