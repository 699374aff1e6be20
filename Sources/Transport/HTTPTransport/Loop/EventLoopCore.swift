import CPrefectCurl
import Glibc

/// The objects that live on the loop's thread: the multi handle, the transfers and the watched descriptors.
///
/// It is not `Sendable`. It is created before the thread starts and handed over to it. From then on, only work on that
/// thread reaches it.
final class EventLoopCore {
    private struct Watch {
        var interest: DescriptorReadiness
        var handler: (DescriptorReadiness) -> Void
    }

    let multi: UnsafeMutableRawPointer
    private let mailbox: Mailbox
    private var transfers: [UInt64: Transfer] = [:]
    var connections: [UInt64: DrivenConnection] = [:]
    var idsByHandle: [UnsafeMutableRawPointer: UInt64] = [:]
    private var admission: Admission
    private var watches: [Int32: Watch] = [:]
    /// Handles of successful transfers, kept because they hold the TLS sessions of their servers.
    private var spares: [EasyHandle] = []

    /// The number of connections to keep, including those in use.
    let mostConnections: Int
    /// The buffer that connections of other protocols read into.
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

    private static let mostSpares = 16
    private static let longestWait = Duration.seconds(600)

    init(multi: UnsafeMutableRawPointer, mailbox: Mailbox, configuration: TransportConfiguration) {
        self.multi = multi
        self.mailbox = mailbox
        admission = Admission(limitPerOrigin: configuration.maxConnectionsPerHost, limit: configuration.maxConnections)
        mostConnections = configuration.maxConnections ?? 64
        ccurl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, mostConnections)
    }

    deinit {
        buffer.deallocate()
    }

    /// Runs the loop until the mailbox requests a stop, then tears it down.
    func run() {
        prepareThread()
        while true {
            let mail = mailbox.collect()
            for work in mail.work { work(self) }
            if mail.isStopping { break }
            var running: Int32 = 0
            curl_multi_perform(multi, &running)
            finishTransfers()
            checkDeadlines()
            wait()
        }
        tearDown()
    }

    // MARK: Work for this thread

    func start(_ plan: TransferPlan, id: UInt64, channel: ResponseChannel) {
        // The caller may have stopped waiting while this work was in the mailbox.
        if channel.hasEnded { return }
        guard let easy = spares.popLast() ?? EasyHandle() else {
            channel.fail(.sendFailed, "out of memory")
            return
        }
        do throws(EasyHandle.Refusal) {
            // A transfer that must wait for admission is registered too, so that its deadlines apply.
            transfers[id] = try Transfer(plan, easy: easy, channel: channel)
            idsByHandle[easy.pointer] = id
            if admission.enter(id, origin: plan.origin) { begin(id) }
        } catch {
            channel.fail(.invalidRequest, error.cause)
        }
    }

    private func begin(_ id: UInt64) {
        guard let transfer = transfers[id] else { return }
        let code = curl_multi_add_handle(multi, transfer.easy.pointer)
        guard code != CURLM_OK else { return }
        transfer.fail(.sendFailed, String(cString: curl_multi_strerror(code)))
        remove(id)
    }

    /// Removes a transfer whose channel has already ended.
    func abort(_ id: UInt64) {
        remove(id)
    }

    func resume(_ id: UInt64) {
        transfers[id]?.resume()
    }

    /// Calls the handler on this thread whenever the descriptor is ready, until `unwatch`. A descriptor can have one
    /// watch. A hang-up is reported as `reading` on a socket; on a pipe libcurl does not report it.
    func watch(_ descriptor: Int32, for interest: DescriptorReadiness, handler: @escaping (DescriptorReadiness) -> Void)
    {
        watches[descriptor] = Watch(interest: interest, handler: handler)
    }

    /// Must be called before the descriptor is closed.
    func unwatch(_ descriptor: Int32) {
        watches[descriptor] = nil
    }

    // MARK: One turn

    private func finishTransfers() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle else { continue }
            let code = message.pointee.data.result
            guard let id = idsByHandle[handle] else { continue }
            guard let transfer = transfers[id] else {
                finishConnecting(id, code)
                continue
            }
            transfer.finish(code)
            remove(id, isReusable: code == CURLE_OK && !transfer.easy.sharedItsConnection)
        }
    }

    private func checkDeadlines() {
        let now = ContinuousClock.now
        var expired: [UInt64] = []
        for (id, transfer) in transfers {
            guard let deadline = transfer.nextDeadline, deadline <= now else { continue }
            transfer.checkDeadlines(at: now)
            if transfer.hasEnded { expired.append(id) }
        }
        for id in expired { remove(id) }
        checkConnectionDeadlines(at: now)
    }

    private func wait() {
        let now = ContinuousClock.now
        let deadline = [
            transfers.values.lazy.compactMap(\.nextDeadline).min(),
            connections.values.lazy.compactMap(\.driver.nextDeadline).min(),
        ].compactMap(\.self).min()
        let pause = deadline.map { min(now.duration(to: $0), Self.longestWait) } ?? Self.longestWait
        if watches.isEmpty {
            curl_multi_poll(multi, nil, 0, Int32(pause.inMilliseconds), nil)
            return
        }
        var descriptors = watches.map { curl_waitfd(fd: $0.key, events: $0.value.interest.rawValue, revents: 0) }
        curl_multi_poll(multi, &descriptors, UInt32(descriptors.count), Int32(pause.inMilliseconds), nil)
        for descriptor in descriptors where descriptor.revents != 0 {
            // An earlier handler may have ended this watch.
            watches[descriptor.fd]?.handler(DescriptorReadiness(rawValue: descriptor.revents))
        }
    }

    /// Removes a transfer, from libcurl first. This closes the connection of an unfinished transfer, and no callback
    /// follows.
    private func remove(_ id: UInt64, isReusable: Bool = false) {
        guard let transfer = transfers.removeValue(forKey: id) else { return }
        idsByHandle[transfer.easy.pointer] = nil
        // libcurl does not know a transfer that was still waiting, and returns an error without harm.
        curl_multi_remove_handle(multi, transfer.easy.pointer)
        if isReusable, spares.count < Self.mostSpares {
            transfer.easy.reset()
            spares.append(transfer.easy)
        }
        if let next = admission.leave(id) { begin(next) }
    }

    // MARK: Beginning and end

    private func prepareThread() {
        ccurl_name_thread("http-transport")
        // Signals are for the program's other threads. A write to a closed TLS connection raises SIGPIPE in the writing
        // thread, which would end the process. The threads that libcurl creates for name resolution inherit the mask.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, nil)
    }

    private func tearDown() {
        for transfer in transfers.values { transfer.fail(.shutDown, TransportError.shutDownCause) }
        // Waiting transfers must not be admitted now.
        admission = Admission(limitPerOrigin: nil, limit: nil)
        for id in Array(transfers.keys) { remove(id) }
        tearDownConnections()
        watches = [:]
        spares = []
        mailbox.closeForGood()
        curl_multi_cleanup(multi)
        mailbox.announceEnd()
    }
}
