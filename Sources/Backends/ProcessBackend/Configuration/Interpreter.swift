internal import BackendKit
internal import Glibc

/// The Python interpreter that runs the flows of jobs without a command of their own.
enum Interpreter: Hashable, Sendable {
    /// The absolute path of the interpreter. Links stay unresolved, because the path of the link identifies a virtual
    /// environment.
    case python(String)
    /// No interpreter, by choice of the user: every job has a command of its own.
    case none
    /// No interpreter, with the reason.
    case missing(String)

    static let remedy = "install Prefect there, correct --python, or give every job a command"

    /// Finds the interpreter that the user chose, or else the first one on the worker's PATH.
    init(choice: String?, environment: [String: String]) {
        let directory = currentDirectory()
        switch choice {
        case "none"?:
            self = .none
        case let choice? where choice.utf8.contains(UInt8(ascii: "/")):
            self = .python(absolutePath(choice, home: environment["HOME"]))
        case let choice?:
            let found = try? ExecutableLookup.resolve(choice, path: environment["PATH"], directory: directory)
            self =
                found.map(Interpreter.python)
                ?? .missing("The Python interpreter '\(choice)' was not found on the worker's PATH; \(Self.remedy)")
        case nil:
            for name in ["python", "python3"] {
                let found = try? ExecutableLookup.resolve(name, path: environment["PATH"], directory: directory)
                if let found {
                    self = .python(found)
                    return
                }
            }
            self = .missing("Neither python nor python3 was found on the worker's PATH; \(Self.remedy)")
        }
    }
}

/// The directory from which relative paths start.
func currentDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
}

/// Makes a path absolute. A leading `~` stands for the home directory.
func absolutePath(_ path: String, home: String?) -> String {
    if path == "~" || path.hasPrefix("~/"), let home { return home + path.dropFirst() }
    if path.utf8.first == UInt8(ascii: "/") { return path }
    return currentDirectory() + "/" + path
}
