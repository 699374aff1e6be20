internal import BackendKit

/// The settings of access to AWS, which all programs for AWS share.
enum AWSSettings {
    static let all: [BackendSetting] = [
        BackendSetting(
            "AWS_DEFAULT_REGION", "AWS_REGION", expects: "a region", "The region, unless the block names one."),
        BackendSetting(
            "AWS_ACCESS_KEY_ID", expects: "a key",
            "The key, with `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`. Pools may have a block `aws-credentials`."),
        BackendSetting(
            "AWS_PROFILE", "AWS_DEFAULT_PROFILE", expects: "a name", default: "default",
            "The profile in `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE`."),
        BackendSetting(
            "AWS_WEB_IDENTITY_TOKEN_FILE", expects: "a path",
            "A token for the role `AWS_ROLE_ARN`, as in pods of EKS."),
        BackendSetting(
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", expects: "a URL",
            "The source of keys in a container of ECS or EKS."),
        BackendSetting(
            "AWS_EC2_METADATA_DISABLED", expects: "true or false", default: "false",
            "Whether the role of the machine is not used."),
        BackendSetting(
            "AWS_ENDPOINT_URL", expects: "a URL",
            "The URL of all services; `AWS_ENDPOINT_URL_ECS` and others for one. "
                + "`AWS_IGNORE_CONFIGURED_ENDPOINT_URLS` switches them off."),
        BackendSetting(
            "AWS_USE_FIPS_ENDPOINT", expects: "true or false", default: "false", "Whether FIPS endpoints are used."),
        BackendSetting(
            "AWS_USE_DUALSTACK_ENDPOINT", expects: "true or false", default: "false",
            "Whether endpoints with IPv6 are used."),
        BackendSetting("AWS_CA_BUNDLE", expects: "a path", "The trusted certificate authorities for AWS."),
    ]
}
