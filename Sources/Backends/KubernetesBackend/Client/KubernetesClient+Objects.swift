internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

// Operations on the objects of a cluster.
extension KubernetesClient {
    /// Reads an object; the result is `nil` when the object does not exist.
    func read(_ resource: Resource, namespace: String, name: String) async throws -> JSONValue? {
        do {
            return try await call(.get, resource.path(namespace: namespace, name: name))
        } catch let error as KubernetesError where error.kind == .notFound {
            return nil
        }
    }

    /// Creates an object and returns it as the cluster stores it.
    func create(_ resource: Resource, namespace: String, _ object: JSONValue) async throws -> JSONValue {
        try await call(.post, resource.path(namespace: namespace), body: object)
    }

    /// Replaces the object of the same name.
    func replace(_ resource: Resource, namespace: String, name: String, _ object: JSONValue) async throws {
        try await call(.put, resource.path(namespace: namespace, name: name), body: object)
    }

    /// The order in which the objects that belong to a deleted object are deleted.
    enum Propagation: String, Sendable {
        /// They are deleted before it.
        case foreground = "Foreground"
        /// They are deleted after it.
        case background = "Background"
    }

    /// Deletes an object, if it still has `uid`, and `version` where that is given. Returns whether such an object
    /// existed.
    @discardableResult
    func delete(
        _ resource: Resource, namespace: String, name: String, uid: String? = nil, version: String? = nil,
        grace: Duration? = nil, propagation: Propagation? = nil
    ) async throws -> Bool {
        var query: [(name: String, value: String)] = []
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
        // If a request has a body, the API server ignores the query.
        let body = uid == nil ? nil : options
        do {
            try await call(.delete, resource.path(namespace: namespace, name: name), query: query, body: body)
            return true
        } catch let error as KubernetesError where error.kind == .notFound || uid != nil && error.kind == .conflict {
            return false
        }
    }

    /// Passes on all objects of a selection, one after the other, and returns the version of the list.
    ///
    /// The list is read in pages. If the API server forgets a list before its end, the list is read again, and `each`
    /// gets objects again. The last attempt requests the whole list in one piece, which the API server cannot forget.
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

    /// Passes on the objects of a page and returns the list's metadata.
    private func readPage(
        _ resource: Resource, _ namespace: String, _ query: [(name: String, value: String)],
        each: (JSONValue) throws -> Void
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
            guard scanner.isComplete else { throw ItemScanner.Problem(description: "the list is incomplete") }
            return try JSONValue(parsing: scanner.envelope)["metadata"] ?? [:]
        } catch let error as TransportError {
            throw try Self.converted(error, operation)
        } catch let error as KubernetesError {
            throw error
        } catch {
            throw KubernetesError(kind: .unreadable, message: "\(error)", operation: operation)
        }
    }

    /// Passes on the events of a selection's objects from a version on, until the API server ends the watch. Calls
    /// `opened` when the API server has accepted the watch.
    ///
    /// Throws when the watch cannot begin or breaks off. A watch that is silent for so long that it must be dead ends
    /// without an error.
    func watch(
        _ resource: Resource, _ selection: Selection, from version: String, opened: () -> Void = {},
        each: (WatchEvent) -> Void
    ) async throws {
        let path = resource.path(namespace: selection.namespace)
        let operation = "GET \(path) (watch)"
        let seconds = max(1, timing.watch.components.seconds)
        let used = connections
        let response = try await open(
            .get, path,
            query: selection.query + [
                ("watch", "true"), ("allowWatchBookmarks", "true"), ("resourceVersion", version),
                ("timeoutSeconds", String(seconds)),
            ],
            deadlines: Deadlines(
                connect: timing.connect, firstByte: timing.answer, idle: timing.silence, whole: timing.watch * 2))
        opened()
        var decoder = WatchDecoder(operation: operation)
        do {
            for try await portion in response.body { try decoder.decode(portion, event: each) }
        } catch let error as TransportError where error.kind == .idleTimeout {
            noteSilence(of: used)
        } catch let error as TransportError {
            throw try Self.converted(error, operation)
        }
    }

    /// Whether the worker may do something, according to the API server; `nil` when the API server gives no answer.
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
