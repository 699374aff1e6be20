/// The source of a setting's value.
public enum SettingSource: Sendable, Hashable {
    /// A variable of the process's environment.
    case environment(variable: String)
    /// A variable of the `.env` file.
    case dotenv(variable: String, file: String)
    /// A key of `prefect.toml` or `pyproject.toml`.
    case file(key: String, file: String)
    /// A variable of the active profile; `file` is `nil` for a built-in one.
    case profile(name: String, variable: String, file: String?)
    /// Another setting that lowers or raises this one.
    case consequence(of: String)
    /// No source sets the setting.
    case `default`
}

extension SettingSource: CustomStringConvertible {
    /// A phrase that follows "set by".
    public var description: String {
        switch self {
        case .environment(let variable): "\(variable) in the environment"
        case .dotenv(let variable, let file): "\(variable) in \(file)"
        case .file(let key, let file): "\(key) in \(file)"
        case .profile(let name, let variable, let file?): "\(variable) in the profile '\(name)' of \(file)"
        case .profile(let name, let variable, nil): "\(variable) in the built-in profile '\(name)'"
        case .consequence(let setting): setting
        case .default: "default"
        }
    }
}
