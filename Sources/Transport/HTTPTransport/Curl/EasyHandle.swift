import CPrefectCurl

/// One libcurl easy handle, with the memory that must live as long as its settings. Only the loop's thread uses it.
final class EasyHandle {
    /// The error when libcurl rejects a setting.
    struct Refusal: Error {
        let code: CURLcode
        let option: CURLoption

        var cause: String { "libcurl refuses option \(option.rawValue): \(String(cString: curl_easy_strerror(code)))" }
    }

    let pointer: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var lists: [UnsafeMutablePointer<curl_slist>] = []

    init?() {
        guard let pointer = curl_easy_init() else { return nil }
        self.pointer = pointer
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    deinit {
        curl_easy_cleanup(pointer)
        errorText.deallocate()
        freeLists()
    }

    /// Restores libcurl's defaults. TLS sessions are kept, so that a later connection is made faster.
    func reset() {
        curl_easy_reset(pointer)
        freeLists()
    }

    private func freeLists() {
        for list in lists { curl_slist_free_all(list) }
        lists = []
    }

    // MARK: Settings

    func set(_ option: CURLoption, _ value: Int) throws(Refusal) {
        try check(ccurl_easy_set_long(pointer, option, value), option)
    }

    /// Applies an optional setting, which an older or differently built libcurl may not know.
    func setIfKnown(_ option: CURLoption, _ value: Int) {
        _ = ccurl_easy_set_long(pointer, option, value)
    }

    /// Applies a text, which libcurl copies. Nil selects libcurl's default, or no value.
    func set(_ option: CURLoption, _ value: String?) throws(Refusal) {
        try check(ccurl_easy_set_string(pointer, option, value), option)
    }

    func set(_ option: CURLoption, bytes: [UInt8]) throws(Refusal) {
        try check(ccurl_easy_set_blob(pointer, option, bytes, bytes.count), option)
    }

    func set(_ option: CURLoption, list: [String]) throws(Refusal) {
        var head: UnsafeMutablePointer<curl_slist>?
        for line in list {
            guard let extended = curl_slist_append(head, line) else {
                curl_slist_free_all(head)
                throw Refusal(code: CURLE_OUT_OF_MEMORY, option: option)
            }
            head = extended
        }
        if let head { lists.append(head) }
        try check(ccurl_easy_set_list(pointer, option, head), option)
    }

    func setBody(_ bytes: [UInt8]) throws(Refusal) {
        try check(ccurl_easy_set_body(pointer, bytes, bytes.count), CURLOPT_COPYPOSTFIELDS)
    }

    func setCloseOnExec() throws(Refusal) {
        try check(ccurl_easy_set_close_on_exec(pointer), CURLOPT_OPENSOCKETFUNCTION)
    }

    /// Makes libcurl write its detailed error messages to the buffer that `cause` reads.
    func setErrorText() throws(Refusal) {
        clearErrorText()
        try check(ccurl_easy_set_pointer(pointer, CURLOPT_ERRORBUFFER, errorText), CURLOPT_ERRORBUFFER)
    }

    func clearErrorText() {
        errorText[0] = 0
    }

    // MARK: Results of a finished transfer

    /// libcurl's message for a failure: the detailed one if there is one.
    func cause(of code: CURLcode) -> String {
        let particular = String(cString: errorText)
        return particular.isEmpty ? String(cString: curl_easy_strerror(code)) : particular
    }

    /// The system's error of the last failed connection attempt; 0 if there was none.
    var systemError: Int32 { Int32(truncatingIfNeeded: ccurl_easy_get_long(pointer, CURLINFO_OS_ERRNO)) }

    /// The status of the proxy's response to CONNECT; 0 if there was none.
    var tunnelStatus: Int { ccurl_easy_get_long(pointer, CURLINFO_HTTP_CONNECTCODE) }

    /// Whether other transfers may have used the connection at the same time. After such a transfer, libcurl 7.88 keeps
    /// the handle's buffer, and a later transfer with another size of buffer writes beyond its end.
    var sharedItsConnection: Bool {
        ccurl_easy_get_long(pointer, CURLINFO_HTTP_VERSION) >= CURL_HTTP_VERSION_2_0
    }

    /// Throws unless libcurl has accepted a setting.
    func check(_ code: CURLcode, _ option: CURLoption) throws(Refusal) {
        if code != CURLE_OK { throw Refusal(code: code, option: option) }
    }
}
