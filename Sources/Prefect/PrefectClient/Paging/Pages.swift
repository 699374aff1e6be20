internal import OrderedCollections
internal import PrefectJSON

/// All objects that a method of the API finds, read page by page while they are iterated.
///
/// The API returns at most 200 objects at once and no mark of the end. This sequence reads until a page is short or the
/// API has no further page, so it never ends early. It keeps one page, and the ids of the page before.
///
/// ```swift
/// let failed = FlowRunFilter(state: FlowRunFilterState(type: .equals(.failed)))
/// let runs = Pages { limit, offset in
///     try await client.readFlowRuns(flowRuns: failed, sort: .idDescending, limit: limit, offset: offset)
/// }
/// for try await run in runs { print(run.name) }
/// ```
///
/// Objects that appear or vanish meanwhile shift the offsets. Use a sort order that does not change, such as
/// `ID_DESC`. Objects that appear during the reading then do not hide others, and none occurs twice.
public struct Pages<Element: JSONConvertible>: AsyncSequence, Sendable {
    /// A page and the position of the next one.
    struct Page {
        var elements: [Element]
        var next: Position?
    }

    /// A position in the result.
    enum Position {
        case offset(Int)
        case token(String)
    }

    private let readPage: @Sendable (Position?) async throws -> Page

    /// All objects of a method with a limit and an offset.
    ///
    /// - Parameters:
    ///   - size: The number of objects to read at once, from 1 to 200.
    ///   - read: Reads the objects for a limit and an offset.
    public init(
        size: Int = 200, _ read: @escaping @Sendable (_ limit: Int, _ offset: Int) async throws -> [Element]
    ) {
        let size = Swift.max(1, Swift.min(size, 200))
        readPage = { position in
            var offset = 0
            if case .offset(let found) = position { offset = found }
            var limit = size
            while true {
                do {
                    let elements = try await read(limit, offset)
                    // The API refuses a limit above its own, so only the last page is shorter than the limit.
                    return Page(
                        elements: elements, next: elements.count < limit ? nil : .offset(offset + elements.count))
                } catch let error as APIError where error.isTooLarge && limit > 1 {
                    limit = (limit + 1) / 2
                }
            }
        }
    }

    /// All objects of a method whose answer has a token for the next page.
    ///
    /// - Parameter read: Reads the first page for `nil`, or the page of a token. Without a next token, the page is the
    ///   last.
    public init(
        followingTokens read:
            @escaping @Sendable (_ token: String?) async throws -> (elements: [Element], next: String?)
    ) {
        readPage = { position in
            var token: String?
            if case .token(let found) = position { token = found }
            let (elements, next) = try await read(token)
            return Page(elements: elements, next: next.map { .token($0) })
        }
    }

    /// Makes an iterator, which reads from the beginning.
    public func makeAsyncIterator() -> Iterator { Iterator(readPage: readPage) }

    /// Reads the pages.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let readPage: @Sendable (Position?) async throws -> Page
        private var position: Position?
        private var isAtEnd = false
        private var page: [Element] = []
        private var index = 0
        private var ids: Set<JSONValue> = []

        fileprivate init(readPage: @escaping @Sendable (Position?) async throws -> Page) { self.readPage = readPage }

        /// The next object; `nil` at the end.
        ///
        /// - Throws: The error of the method, or `CancellationError` when the task is cancelled.
        public mutating func next() async throws -> Element? {
            while index == page.count {
                guard !isAtEnd else { return nil }
                try Task.checkCancellation()
                let answer = try await readPage(position)
                position = answer.next
                if case .none = answer.next { isAtEnd = true }
                index = 0
                // A new object at the beginning shifts the last objects of a page into the next one.
                page = answer.elements.filter { element in Self.id(of: element).map { !ids.contains($0) } ?? true }
                ids = Set(answer.elements.compactMap(Self.id(of:)))
            }
            defer { index += 1 }
            return page[index]
        }

        private static func id(of element: Element) -> JSONValue? { (element as? any APIRecord)?.members["id"] }
    }
}
