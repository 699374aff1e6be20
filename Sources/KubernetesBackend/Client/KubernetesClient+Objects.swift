internal import HTTPTransport
internal import JSON

// What is done with the objects of a cluster.
extension KubernetesClient {
    /// An object; `nil` when it does not exist.
    func read(_ resource: Resource, namespace: String, name: String) async throws -> JSONValue? {
        do {
            return try await call(.get, resource.path(namespace: namespace, name: name))
        } catch let error as KubernetesError where error.kind == .notFound {
            return nil
        }
    }

    /// Creates an object and returns it as the cluster has it.
    func create(_ resource: Resource, namespace: String, _ object: JSONValue) async throws -> JSONValue {
        try await call(.post, resource.path(namespace: namespace), body: object)
    }

    /// Replaces the object of the same name.
    func replace(_ resource: Resource, namespace: String, name: String, _ object: JSONValue) async throws {
        try await call(.put, resource.path(namespace: namespace, name: name), body: object)
    }

    /// How the objects that belong to a deleted one go.
    enum Propagation: String, Sendable {
        /// Before it.
        case foreground = "Foreground"
        /// After it.
        case background = "Background"
    }

    /// Deletes an object, if it still is the one of `uid`, and of `version` if that is given. Returns whether it was there.
    @discardableResult
    func delete(
        _ resource: Resource, namespace: String, name: String, uid: String? = nil, version: String? = nil,
        grace: Duration? = nil, propagation: Propagation? = nil
    ) async throws -> Bool {
        var query: [(String, String)] = []
        var options: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
        if let grace {
            let seconds = max(0, Int(grace.components.seconds))
            query.append(("gracePeriodSeconds", String(seconds)))
            options["gracePeriodSeconds"] = .int(seconds)
        }
        if let propagation {
            query.append(("propagationPolicy", propagation.rawValue))
            options["propagationPolicy"] = .string(propagation.rawValue)
        }
        if let uid {
            var preconditions: JSONValue = ["uid": .string(uid)]
            if let version { preconditions["resourceVersion"] = .string(version) }
            options["preconditions"] = preconditions
        }
        // Where there is a body, the API server reads nothing else.
        let body = uid == nil ? nil : options
        do {
            try await call(.delete, resource.path(namespace: namespace, name: name), query: query, body: body)
            return true
        } catch let error as KubernetesError where error.kind == .notFound || uid != nil && error.kind == .conflict {
            return false
        }
    }

    /// Hands out all objects of a selection, one after the other, and returns the version of the list.
    ///
    /// It is read in pages. When the API server forgets a list in its middle, it is begun again, and `each` gets objects
    /// again; the last attempt asks for the whole in one piece, which cannot be forgotten.
    func list(
        _ resource: Resource, _ selection: Selection, pageSize: Int = 500, each: (JSONValue) throws -> Void
    ) async throws -> String {
        for attempt in 0..<3 {
            do {
                return try await listOnce(resource, selection, pageSize: attempt == 2 ? nil : pageSize, each: each)
            } catch let error as KubernetesError where error.kind == .expired && attempt < 2 {
                continue
            }
        }
        throw KubernetesError(
            kind: .expired, message: "the list could not be read to its end",
            operation: "GET \(resource.path(namespace: selection.namespace))")
    }

    private func listOnce(
        _ resource: Resource, _ selection: Selection, pageSize: Int?, each: (JSONValue) throws -> Void
    ) async throws -> String {
        var next: String?
        while true {
            var query = selection.query
            if let pageSize { query.append(("limit", String(pageSize))) }
            if let next { query.append(("continue", next)) }
            let page = try await readPage(resource, selection.namespace, query, each: each)
            next = page["continue"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
            if next == nil { return page["resourceVersion"]?.stringValue ?? "" }
        }
    }

    /// Hands out the objects of a page and returns the list's metadata.
    private func readPage(
        _ resource: Resource, _ namespace: String, _ query: [(String, String)], each: (JSONValue) throws -> Void
    ) async throws -> JSONValue {
        let path = resource.path(namespace: namespace)
        let operation = "GET \(path)"
        let response = try await open(
            .get, path, query: query,
            deadlines: Deadlines(connect: timing.connect, firstByte: timing.answer * 2, idle: timing.answer))
        var scanner = ItemScanner()
        do {
            for try await portion in response.body {
                try scanner.scan(portion) { try each(JSONValue(parsing: $0)) }
            }
            guard scanner.isComplete else { throw ItemScanner.Problem(description: "the list breaks off") }
            return try JSONValue(parsing: scanner.envelope)["metadata"] ?? [:]
        } catch let error as TransportError {
            throw try Self.converted(error, operation)
        } catch let error as KubernetesError {
            throw error
        } catch {
            throw KubernetesError(kind: .unreadable, message: "\(error)", operation: operation)
        }
    }

    /// Hands out what happens to the objects of a selection from a version on, until the API server ends the watch.
    ///
    /// Throws when the watch cannot be begun or breaks off. One over which nothing came for so long that it must be dead is
    /// over as well.
    func watch(
        _ resource: Resource, _ selection: Selection, from version: String, each: (WatchEvent) -> Void
    ) async throws {
        let path = resource.path(namespace: selection.namespace)
        let operation = "GET \(path) (watch)"
        let seconds = max(1, timing.watch.components.seconds)
        let response = try await open(
            .get, path,
            query: selection.query + [
                ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version),
                ("timeoutSeconds", String(seconds)),
            ],
            deadlines: Deadlines(
                connect: timing.connect, firstByte: timing.answer, idle: timing.silence, whole: timing.watch * 2))
        var decoder = WatchDecoder(operation: operation)
        do {
            for try await portion in response.body { try decoder.decode(portion, event: each) }
        } catch let error as TransportError where error.kind == .idleTimeout {
            noteSilence()
        } catch let error as TransportError {
            throw try Self.converted(error, operation)
        }
    }

    /// Whether the worker may do something, as the API server says; `nil` when it does not say.
    func mayDo(_ verb: String, _ resource: Resource, subresource: String? = nil, namespace: String) async -> Bool? {
        var attributes: JSONValue = [
            "namespace": .string(namespace), "verb": .string(verb), "group": .string(resource.group),
            "resource": .string(resource.rawValue),
        ]
        if let subresource { attributes["subresource"] = .string(subresource) }
        let review: JSONValue = [
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": ["resourceAttributes": attributes],
        ]
        let answer = try? await call(.post, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body: review)
        return answer?["status"]?["allowed"]?.boolValue
    }
}
