package import BackendKit

/// The variables of the environment that the access to Google Cloud reads.
package enum GoogleSettings {
    /// The settings that all types share.
    ///
    /// - Parameter service: The name of the type's service in the overrides of gcloud.
    package static func all(service: String) -> [BackendSetting] {
        [
            BackendSetting(
                "GOOGLE_APPLICATION_CREDENTIALS", expects: "a path",
                "The file with the credentials for Google Cloud. Default: gcloud's file, else the metadata server."),
            BackendSetting(
                "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", expects: "a project's id",
                "The project of jobs whose block of credentials names none. Default: that of the credentials."),
            BackendSetting(
                "GOOGLE_CLOUD_QUOTA_PROJECT", expects: "a project's id",
                "The project that pays for the requests of a user's credentials."),
            BackendSetting(
                "GOOGLE_CLOUD_UNIVERSE_DOMAIN", expects: "a domain", default: GoogleCredentials.usualUniverse,
                "The domain of Google's services."),
            BackendSetting(
                "GCE_METADATA_HOST", expects: "HOST:PORT", default: "metadata.google.internal",
                "The metadata server."),
            BackendSetting(
                "NO_GCE_CHECK", expects: "true or false", default: "false",
                "Whether the metadata server is not asked for credentials."),
            BackendSetting(
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_\(service.uppercased())", expects: "a URL",
                "The address of the service, for example an endpoint of Private Service Connect."),
            CapacityPatience.setting,
        ]
    }
}
