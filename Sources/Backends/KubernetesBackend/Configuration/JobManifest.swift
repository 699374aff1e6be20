internal import BackendKit
internal import JobTemplates
internal import OrderedCollections
internal import PrefectJSON

/// A checked job manifest that is being completed for one flow run.
struct JobManifest: Sendable, Hashable {
    private(set) var json: JSONValue

    init(_ json: JSONValue) { self.json = json }

    private typealias Members = OrderedDictionary<String, JSONValue>

    /// Whether Kubernetes lets the job fail as soon as its pod fails.
    var isNeverRetried: Bool {
        switch json["spec"]?["backoffLimit"] {
        case .int(0)?, .double(0)?, .bool(false)?: true
        default: false
        }
    }

    /// The container that runs the flow.
    private var container: JSONValue {
        get { json["spec"]?["template"]?["spec"]?["containers"]?[0] ?? [:] }
        set {
            change(["spec", "template", "spec"]) { spec in
                guard case .array(var containers)? = spec["containers"], !containers.isEmpty else { return }
                containers[0] = newValue
                spec["containers"] = .array(containers)
            }
        }
    }

    /// Changes the object at a path; a missing object is created.
    private mutating func change(_ path: [String], _ body: (inout JSONValue) -> Void) {
        Self.change(&json, path[...], body)
    }

    private static func change(_ value: inout JSONValue, _ path: ArraySlice<String>, _ body: (inout JSONValue) -> Void)
    {
        guard let key = path.first else { return body(&value) }
        var member = value[key] ?? .null
        if member.objectValue == nil { member = [:] }
        change(&member, path.dropFirst(), body)
        value[key] = member
    }

    // MARK: The steps

    /// Sets the variables, and after them those of the manifest that have other names.
    mutating func setEnvironment(_ variables: [JSONValue]) {
        let names = Set(variables.compactMap { $0["name"]?.stringValue })
        let own = (container["env"]?.arrayValue ?? []).filter { entry in
            entry["name"]?.stringValue.map { !names.contains($0) } ?? true
        }
        container["env"] = .array(variables + own)
    }

    /// Sets the job's labels and annotations. The configuration's entries override the manifest's own.
    mutating func setLabels(
        labels: OrderedDictionary<String, String>, annotations: OrderedDictionary<String, String>
    ) {
        change(["metadata"]) { metadata in
            metadata["labels"] = .object(Self.labels(metadata["labels"], labels))
            let all = (metadata["annotations"]?.objectValue ?? [:])
                .merging(annotations.mapValues(JSONValue.string)) { $1 }
            metadata["annotations"] = .object(
                Members(
                    all.compactMap { key, value in LabelText.annotationKey(key).map { ($0, value) } },
                    uniquingKeysWith: { $1 }))
        }
    }

    private static func labels(_ own: JSONValue?, _ labels: OrderedDictionary<String, String>) -> Members {
        let all = (own?.objectValue ?? [:]).merging(labels.mapValues(JSONValue.string)) { $1 }
        return Members(
            all.compactMap { key, value in
                LabelText.labelKey(key).map { ($0, .string(LabelText.value(value.pythonText))) }
            }, uniquingKeysWith: { $1 })
    }

    mutating func setImage(default image: String) {
        if container["image"] == nil { container["image"] = .string(image) }
    }

    /// Sets the command as arguments of the image's entrypoint. Returns whether the command is the flow engine.
    mutating func setArguments(default command: String) throws(InfrastructureError) -> Bool {
        let line: String
        switch container["args"] {
        case nil, .null?: line = command
        case .string(let text)?: line = text
        case .array(let words)?: return words == command.split(separator: " ").map { .string(String($0)) }
        case .some(let other): throw RenderedFields(json).mismatch("args of the container", "a string or a list", other)
        }
        do {
            container["args"] = .array(try ShellWords.split(line).map(JSONValue.string))
        } catch {
            throw InfrastructureError(
                .refused, "The job's command cannot be split into words: a quotation mark is not closed; correct it"
            )
        }
        return line == command
    }

    /// Sets the beginning of the job's name: the manifest's own, or one made of the run's name.
    mutating func setNamePrefix(after name: String) throws(InfrastructureError) {
        let own = json["metadata"]?["generateName"] ?? ""
        guard let text = own.stringValue else {
            throw RenderedFields(json).mismatch("job_manifest.metadata.generateName", "a string", own)
        }
        guard ["", "-", "None-"].contains(text) || TemplateText.hasPlaceholders(text) else { return }
        let prefix = name.isEmpty ? nil : Slug.kubernetesName(name)
        change(["metadata"]) { $0["generateName"] = .string("\(prefix ?? "prefect-job")-") }
    }

    /// Sets the pods' labels and annotations. The job's entries override the template's own.
    mutating func labelPods(labels: OrderedDictionary<String, String>) {
        let annotations = json["metadata"]?["annotations"]?.objectValue ?? [:]
        change(["spec", "template", "metadata"]) { metadata in
            metadata["labels"] = .object(Self.labels(metadata["labels"], labels))
            guard !annotations.isEmpty else { return }
            let own = metadata["annotations"]?.objectValue ?? [:]
            metadata["annotations"] = .object(own.merging(annotations) { $1 })
        }
    }
}
