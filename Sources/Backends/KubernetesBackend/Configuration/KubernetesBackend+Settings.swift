internal import BackendKit

extension KubernetesBackend {
    /// The settings that the backend reads.
    static let settings =
        [
            BackendSetting(
                "KUBECONFIG", expects: "paths, separated by colons",
                "The kubeconfig, if the worker does not run in a cluster. Default: `~/.kube/config`.")
        ] + KubernetesSetting.allCases.map(\.shown)
}
