extension WebSocket {
    /// One message, whole: how it was cut into frames on its way does not show.
    public enum Message: Sendable, Hashable {
        case text(String)
        case binary([UInt8])
    }

    /// Why a WebSocket is closed, as a number of RFC 6455, section 7.4.
    public struct CloseCode: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        public let rawValue: UInt16

        public init(rawValue: UInt16) {
            self.rawValue = rawValue
        }

        /// The purpose is fulfilled.
        public static let normal = CloseCode(rawValue: 1000)
        /// The server shuts down, or the client leaves.
        public static let goingAway = CloseCode(rawValue: 1001)
        public static let protocolError = CloseCode(rawValue: 1002)
        public static let unsupportedData = CloseCode(rawValue: 1003)
        /// The peer closed without giving a code. Never sent.
        public static let noStatus = CloseCode(rawValue: 1005)
        /// Text that is not UTF-8.
        public static let invalidData = CloseCode(rawValue: 1007)
        public static let policyViolation = CloseCode(rawValue: 1008)
        public static let messageTooBig = CloseCode(rawValue: 1009)
        public static let internalError = CloseCode(rawValue: 1011)
        public static let serviceRestart = CloseCode(rawValue: 1012)
        public static let tryAgainLater = CloseCode(rawValue: 1013)

        public var description: String { String(rawValue) }

        /// Whether it may stand in a close frame: what the RFC and its registry define for that, and the ranges of
        /// libraries (3000) and applications (4000).
        var isAllowedOnTheWire: Bool {
            switch rawValue {
            case 1000...1003, 1007...1014, 3000...4999: true
            default: false
            }
        }
    }
}
