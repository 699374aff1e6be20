/// The usual meaning of an exit code, with a remedy.
struct ExitHint: Sendable, Hashable {
    /// The usual meaning of the exit code.
    let explanation: String
    /// The remedy.
    let resolution: String

    /// The hint for an exit code; signals are negative.
    init(code: Int) {
        (explanation, resolution) =
            switch code {
            case 0:
                ("The process ended without an error.", "Nothing needs to be done.")
            case -9:
                (
                    "The process was killed by SIGKILL: usually by the system when memory runs out, or by hand.",
                    "Compare the flow run's memory use with the memory it may use, and raise its limit if it has one."
                )
            case -15:
                (
                    "The process was ended by SIGTERM: a shutdown or a cancellation.",
                    "If nobody cancelled the flow run, look for a restart, a scale-down or a rollout at that time."
                )
            case let signal where signal < 0:
                (
                    "The process was ended by signal \(-signal).",
                    "Look at the flow run's output for a crash in native code, and at the system's log."
                )
            case 1:
                (
                    "The process ended with a general error.",
                    "Look for an exception in the flow run's logs."
                )
            case 125:
                (
                    "The container could not be run (exit code 125).",
                    "Check that the image exists, that its entrypoint is right and that the container engine works."
                )
            case 126:
                (
                    "The command was found but cannot be executed.",
                    "Give the file the executable bit and check its permissions."
                )
            case 127:
                (
                    "The command was not found.",
                    "Check the command's spelling, that it is installed where the flow runs, and PATH."
                )
            case 137:
                (
                    "The process was killed, most likely because memory ran out.",
                    "Give the flow run's infrastructure more memory."
                )
            case 143:
                (
                    "The container's process was ended by SIGTERM.",
                    "If nobody cancelled the flow run, look for an eviction, a scale-down or a stopped task."
                )
            case 247:
                (
                    "The process was ended because it used too much memory.",
                    "Give the flow run's infrastructure more memory, or find out what uses it."
                )
            default:
                (
                    "The process ended with an unexpected status code.",
                    "Look at the flow run's logs and at those of its infrastructure."
                )
            }
    }
}
