internal import BackendKit

extension DockerBackend {
    /// The settings that the backend reads.
    static let settings = [
        BackendSetting(
            "DOCKER_HOST", expects: "unix:///path or tcp://host:port",
            "The Engine. Default: that of the context, else `unix:///var/run/docker.sock`."),
        BackendSetting(
            "DOCKER_TLS_VERIFY", expects: "anything",
            "The worker uses TLS to a `tcp://` Engine and verifies its certificate."),
        BackendSetting(
            "DOCKER_CERT_PATH", expects: "a path",
            "The worker uses TLS to a `tcp://` Engine, with `ca.pem`, `cert.pem` and `key.pem` of this directory. Default: "
                + "`DOCKER_CONFIG`."),
        BackendSetting(
            "DOCKER_CONTEXT", expects: "a name",
            "The context, if `DOCKER_HOST` is not set. Default: `currentContext` of `config.json`."),
        BackendSetting(
            "DOCKER_CONFIG", expects: "a path", default: "~/.docker",
            "The directory of Docker's `config.json` and contexts."),
        BackendSetting(
            "DOCKER_CLIENT_TIMEOUT", expects: "a number above 0", default: "60",
            "How many seconds an ordinary answer of the Engine may take."),
    ]
}
