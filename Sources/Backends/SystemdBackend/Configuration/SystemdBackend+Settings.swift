internal import BackendKit

extension SystemdBackend {
    /// The settings that the backend reads.
    static let settings = [
        BackendSetting(
            "PREFECT_WORKER_SYSTEMD_MANAGER", expects: "system or user",
            "The systemd that runs the units of systemd pools. Default: `system` for root, else `user`.")
    ]
}
