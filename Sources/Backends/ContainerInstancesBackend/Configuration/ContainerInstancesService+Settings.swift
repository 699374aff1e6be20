internal import AzureAccess
internal import BackendKit

extension ContainerInstancesService {
    /// The settings that the backend reads.
    static let settings = [
        CapacityPatience.setting,
        BackendSetting(
            "AZURE_TENANT_ID", expects: "an id", "The tenant of the worker's application or workload identity."),
        BackendSetting(
            "AZURE_CLIENT_ID", expects: "an id",
            "The worker's application, or its user-assigned managed identity."),
        BackendSetting(
            "AZURE_CLIENT_SECRET", expects: BackendSetting.secret, "The secret of the worker's application."),
        BackendSetting(
            "AZURE_CLIENT_CERTIFICATE_PATH", expects: "a path",
            "A PEM file with the certificate and the RSA key of the worker's application, in place of a secret."),
        BackendSetting(
            "AZURE_CLIENT_CERTIFICATE_PASSWORD", expects: BackendSetting.secret,
            "The password of the certificate's key."),
        BackendSetting(
            "AZURE_FEDERATED_TOKEN_FILE", expects: "a path", "The token of a workload identity of Kubernetes."),
        BackendSetting(
            "IDENTITY_ENDPOINT", expects: "a URL",
            "The endpoint of the managed identity of an app, with `IDENTITY_HEADER`. Elsewhere, the metadata service of the "
                + "machine is used."),
        BackendSetting("IDENTITY_HEADER", expects: BackendSetting.secret, "The key of `IDENTITY_ENDPOINT`."),
        BackendSetting(
            TokenSourceKind.variable, expects: "prod, dev or the name of a source",
            "The sources of credentials that the worker tries. Default: all."),
        BackendSetting(
            AzureCloud.authorityVariable, expects: "a host", default: "login.microsoftonline.com",
            "The token service, which decides the cloud: `login.microsoftonline.us`, `login.chinacloudapi.cn`."),
        BackendSetting(
            AzureCloud.resourceManagerVariable, expects: "a URL",
            "Another Resource Manager than that of the cloud. Default: that of the cloud."),
    ]
}
