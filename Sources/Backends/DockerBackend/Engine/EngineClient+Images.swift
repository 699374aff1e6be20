internal import HTTPTransport
internal import PrefectJSON
internal import PrefectREST

extension EngineClient {
    /// `GET /images/{name}/json`: whether the Engine has an image.
    func hasImage(_ name: String) async throws -> Bool {
        do {
            try await call(request(.get, "/images/\(name, keeping: "/:@")/json", operation: "inspect image"))
            return true
        } catch let error as EngineError where error.isNotFound {
            return false
        }
    }

    /// `POST /images/create`: pulls an image. Passes progress to `report` as it arrives, and throws a failure that the
    /// Engine reports within it. An Engine that is silent for ten minutes has failed. Cancelling the task ends the
    /// pull.
    func pull(
        _ image: ImageReference, authorization: String?, report: (JSONValue) -> Void
    ) async throws {
        var headers: HTTPHeaders = [:]
        if let authorization { headers["X-Registry-Auth"] = authorization }
        var query = [(name: "fromImage", value: image.name)]
        if let tag = image.tag { query.append(("tag", tag)) } else { query.append(("tag", "latest")) }
        let request = stream(
            .post, "/images/create", query: query, headers: headers, answerTime: .seconds(600),
            silence: .seconds(600), operation: "pull image")
        for try await message in JSONLines(try await open(request).body, operation: request.operation) {
            if let error = message["error"]?.stringValue ?? message["errorDetail"]?["message"]?.stringValue {
                throw EngineError(.reported, operation: request.operation, message: error)
            }
            report(message)
        }
    }

    /// `POST /auth`: lets a registry check credentials. Returns the token that the registry issues in their place, if
    /// it issues one.
    func authenticate(_ credentials: RegistryCredentials) async throws -> String? {
        let answer = try await call(
            request(
                .post, "/auth", body: credentials.json, answerTime: timeout * 2,
                operation: "log in to registry"))
        return answer["IdentityToken"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
    }
}
