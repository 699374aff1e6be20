import Foundation
import Testing

/// A Python with the packages that some tests need as independent judges: `opentelemetry-proto`, `helm-python-sdk` and
/// `PyYAML`.
enum ToolsPython {
    static let path = ProcessInfo.processInfo.environment["TEST_TOOLS_PYTHON"].flatMap { $0.isEmpty ? nil : $0 }
}

extension Trait where Self == ConditionTrait {
    /// Skips the test, with the reason, without a Python that has the packages.
    static var toolsPython: Self {
        .enabled("needs a Python with opentelemetry-proto, helm-python-sdk and PyYAML, whose path is TEST_TOOLS_PYTHON")
        {
            ToolsPython.path != nil
        }
    }
}
