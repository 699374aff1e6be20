import ArgumentParser
import Glibc
import PrefectClient
import PrefectJSON
import WorkerKit

/// `prefect-worker api`: sends any request to the API, with the client's authentication, CSRF token, retries and paging.
struct APICommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api", abstract: "Send a request to the Prefect API and print its answer as JSON.",
        discussion: """
            The request has the credentials, the CSRF token and the retries of Prefect's own clients. The exit status is \
            0 for a success, 3 if the API refuses the request, 4 if the object does not exist (404), 5 if the API does \
            not accept the credentials (401, 403), 6 for an error of the server, 7 without an answer, 8 for an answer \
            that is not Prefect's, and 1 for other errors.

            Examples: `prefect-worker api GET /flow_runs/<id>`, \
            `prefect-worker api POST /flow_runs/filter --all --data '{"sort": "START_TIME_DESC"}'`.
            """)

    @ParentCommand var root: RootCommand
    @OptionGroup var common: CommonOptions

    @Argument(help: "The HTTP method: GET, POST, PUT, PATCH or DELETE.", transform: { $0.uppercased() })
    var method: String

    @Argument(help: "The path after the API's URL, percent-encoded, with a query if the route has one.")
    var path: String

    @Option(
        help: ArgumentHelp(
            "The JSON to send. @FILE reads it from a file, and @- from standard input.", valueName: "json|@file"))
    var data: String?

    @Option(
        name: [.customShort("H"), .long], parsing: .singleValue,
        help: ArgumentHelp("A header of the request; repeatable.", valueName: "name: value"))
    var header: [String] = []

    @Flag(help: "Read all pages of a route that lists objects, and print one JSON array.")
    var all = false

    func validate() throws {
        guard ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(method) else {
            throw ValidationError("There is no method '\(method)'; use GET, POST, PUT, PATCH or DELETE.")
        }
        if method == "GET", data != nil { throw ValidationError("A GET request has no data; remove --data.") }
        if all, !["GET", "POST"].contains(method) {
            throw ValidationError("--all reads objects, so the method must be GET or POST.")
        }
    }

    func run() async throws {
        let settings = try common.loadSettings(rootProfile: root.profile)
        let client = try APIClient(settings: settings)
        if !header.isEmpty {
            var configuration = client.configuration
            configuration.customHeaders += try header.map(Self.header)
            await client.reconfigure(configuration)
        }
        let request = try APIRequestLine(method: method, path: path, body: try data.map(Self.json))
        do {
            if all {
                try await APIPages(client: client, request: request).printAll()
            } else {
                let answer = try await request.send(with: client)
                try print(answer)
            }
        } catch let error as APIError {
            Terminal.writeError("Error: \(error.description.escapedForTerminal())\n")
            throw ExitCode(Self.status(of: error))
        }
    }

    /// Prints an answer as JSON. A few routes return other text, which is printed as it is. A web page is an error.
    private func print(_ answer: APIAnswer) throws {
        guard !answer.body.isEmpty else { return }
        do {
            Swift.print(try answer.json().serialized(.pretty))
        } catch {
            if answer.text.drop(while: \.isWhitespace).hasPrefix("<") { throw error }
            Swift.print(answer.text)
        }
    }

    private static func header(_ text: String) throws -> (name: String, value: String) {
        let parts = text.split(separator: ":", maxSplits: 1).map { $0.drop { $0 == " " } }.map(String.init)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw Refusal("The header must have the form 'Name: value'")
        }
        return (parts[0], parts[1])
    }

    private static func json(_ text: String) throws -> JSONValue {
        guard text.hasPrefix("@") else {
            do {
                return try JSONValue(parsing: text)
            } catch {
                throw Refusal("The value of --data is \(error)")
            }
        }
        let file = text.dropFirst()
        return try JSONFile.read(file == "-" ? "/dev/stdin" : String(file), what: "The file of --data")
    }

    /// The exit status for the class of an error.
    private static func status(of error: APIError) -> Int32 {
        if let status = error.status {
            if status == 404 { return error.isNotFound ? 4 : 8 }
            if error.isUnauthorized { return 5 }
            return status >= 500 ? 6 : 3
        }
        if error.isPermanent { return 1 }
        if case .unreadable = error.kind { return 8 }
        return 7
    }
}
