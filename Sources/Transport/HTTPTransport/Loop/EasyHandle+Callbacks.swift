import CPrefectCurl

extension EasyHandle {
    /// Directs libcurl's callbacks to a transfer. The transfer must live for as long as the handle is in the loop.
    func setCallbacks(for transfer: Transfer, watchUpload: Bool) throws(Refusal) {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        try check(ccurl_easy_set_write_callback(pointer, receiveBody), CURLOPT_WRITEFUNCTION)
        try check(ccurl_easy_set_pointer(pointer, CURLOPT_WRITEDATA, context), CURLOPT_WRITEDATA)
        try check(ccurl_easy_set_header_callback(pointer, receiveHeadLine), CURLOPT_HEADERFUNCTION)
        try check(ccurl_easy_set_pointer(pointer, CURLOPT_HEADERDATA, context), CURLOPT_HEADERDATA)
        try check(ccurl_easy_set_request_callback(pointer, connectionIsReady), CURLOPT_PREREQFUNCTION)
        try check(ccurl_easy_set_pointer(pointer, CURLOPT_PREREQDATA, context), CURLOPT_PREREQDATA)
        if watchUpload {
            try check(ccurl_easy_set_progress_callback(pointer, noteProgress), CURLOPT_XFERINFOFUNCTION)
            try check(ccurl_easy_set_pointer(pointer, CURLOPT_XFERINFODATA, context), CURLOPT_XFERINFODATA)
        }
        try set(CURLOPT_NOPROGRESS, watchUpload ? 0 : 1)
        try setErrorText()
    }
}

// The callbacks run on the loop's thread, within a call into libcurl. The loop keeps each transfer until its handle is
// out of the multi handle, so the context is always alive.

private func transfer(_ context: UnsafeMutableRawPointer?) -> Transfer? {
    context.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
}

private func receiveHeadLine(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return transfer(context)?.receiveHeadLine(line) == true ? line.count : 0
}

private func receiveBody(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    let portion = UnsafeRawBufferPointer(start: bytes, count: size * count)
    switch transfer(context)?.receive(portion) {
    case .accepted: return portion.count
    case .full: return ccurl_write_pause
    case .gone, nil: return 0
    }
}

private func connectionIsReady(
    _ context: UnsafeMutableRawPointer?, _: UnsafeMutablePointer<CChar>?, _: UnsafeMutablePointer<CChar>?, _: Int32,
    _: Int32
) -> Int32 {
    transfer(context)?.connectionIsReady()
    return CURL_PREREQFUNC_OK
}

private func noteProgress(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _ uploaded: curl_off_t
) -> Int32 {
    transfer(context)?.uploaded(Int64(uploaded))
    return 0
}
