internal import OrderedCollections
public import PrefectJSON

/// The source of the block documents and variables that a template names.
///
/// An implementation throws ``ReferenceNotFound`` for a block document that does not exist. Any other error means that
/// the document or variable could not be read now.
public protocol TemplateReferences: Sendable {
    /// The `data` of a block document (`GET /block_documents/{id}`, secrets included).
    func blockDocument(id: String) async throws -> JSONValue
    /// The `data` of a block document
    /// (`GET /block_types/slug/{slug}/block_documents/name/{name}`, secrets included).
    func blockDocument(typeSlug: String, name: String) async throws -> JSONValue
    /// The value of a variable (`GET /variables/name/{name}`); `nil` when there is none of that name.
    func variable(named name: String) async throws -> JSONValue?
}

/// The error for a block document that does not exist.
public struct ReferenceNotFound: Error, Hashable, CustomStringConvertible {
    /// The error.
    public init() {}
    /// `not found`.
    public var description: String { "not found" }
}

/// Resolves the references in a rendered configuration: first all blocks, then all variables. Results are kept, so each
/// document and variable is read once.
///
/// The data of a block is inserted unchanged. References to blocks inside it are not followed. So a secret is never
/// treated as a template, and data that refers to itself causes no loop. The later pass fills in variables in the data,
/// as in any other value.
struct ReferenceResolver {
    private let references: any TemplateReferences
    private var documentsByID: [String: JSONValue] = [:]
    private var documentsByName: [DocumentName: JSONValue] = [:]
    private var variables: [String: JSONValue?] = [:]

    private struct DocumentName: Hashable {
        let typeSlug: String
        let name: String
    }

    private var budget: RenderBudget

    init(_ references: any TemplateReferences, budget: RenderBudget) {
        self.references = references
        self.budget = budget
    }

    // MARK: Blocks

    mutating func resolveBlocks(in value: JSONValue, at path: TemplatePath) async throws -> JSONValue {
        try path.checkDepth()
        switch value {
        case .string(let text):
            return try await resolveBlocks(in: text, at: path)
        case .array(let elements):
            var resolved: [JSONValue] = []
            for (index, element) in elements.enumerated() {
                resolved.append(try await resolveBlocks(in: element, at: path.appending(index: index)))
            }
            return .array(resolved)
        case .object(let members):
            if let id = try referencedID(in: members, at: path) {
                let document = try await document(id: id, at: path)
                try budget.spend(document, at: path)
                return document
            }
            var resolved: OrderedDictionary<String, JSONValue> = [:]
            for (key, member) in members {
                resolved[key] = try await resolveBlocks(in: member, at: path.appending(key: key))
            }
            return .object(resolved)
        case .null, .bool, .int, .bigInteger, .double:
            return value
        }
    }

    /// The id in `{"$ref": {"block_document_id": …}}`, which replaces the whole object; an empty one counts as none.
    private func referencedID(
        in members: OrderedDictionary<String, JSONValue>, at path: TemplatePath
    ) throws(TemplateError) -> String? {
        guard let reference = members["$ref"] else { return nil }
        let path = path.appending(key: "$ref")
        guard case .object(let reference) = reference else {
            throw TemplateError(
                .malformedReference, path: path.description,
                problem: "should be an object with a 'block_document_id' but its type is \(reference.typeName)",
                remedy: "refer to a block document by its id or rename the key")
        }
        switch reference["block_document_id"] {
        case nil, .null?, .bool(false)?, .int(0)?, .string("")?, .array([])?, .object([:])?: return nil
        case .string(let id)?: return id
        case .some(let other):
            throw TemplateError(
                .malformedReference, path: path.appending(key: "block_document_id").description,
                problem: "should be the id of a block document but its type is \(other.typeName)",
                remedy: "give the id as a string")
        }
    }

    private mutating func resolveBlocks(in text: String, at path: TemplatePath) async throws -> JSONValue {
        let placeholders = Placeholder.all(in: text)
        guard placeholders.contains(where: { $0.kind == .block }) else { return .string(text) }
        if let only = placeholders.first, only.isWhole(of: text) {
            let value = try await value(of: only, at: path)
            try budget.spend(value, at: path)
            return value
        }
        try budget.spend(text.utf8.count, at: path)
        var replacements: [String?] = []
        for placeholder in placeholders {
            guard placeholder.kind == .block else {
                replacements.append(nil)
                continue
            }
            let value = try await value(of: placeholder, at: path)
            switch value {
            case .array, .object:
                throw TemplateError(
                    .compositeInText, path: path.description, placeholder: placeholder.description,
                    problem: "its value is an \(value.typeName), which cannot be inserted into a text",
                    remedy: "name one attribute of it, such as '\(placeholder.name).key'")
            default:
                let text = value.pythonText
                try budget.spend(text.utf8.count, at: path)
                replacements.append(text)
            }
        }
        return .string(text.replacing(placeholders, with: replacements))
    }

    private mutating func value(of placeholder: Placeholder, at path: TemplatePath) async throws -> JSONValue {
        let parts = placeholder.name.removingAll(Placeholder.blockPrefix).utf8
            .split(separator: UInt8(ascii: "."), maxSplits: 2, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard parts.count >= 2 else {
            throw TemplateError(
                .malformedPlaceholder, path: path.description, placeholder: placeholder.description,
                problem: "a block placeholder needs the block's type and name",
                remedy: "write {{ prefect.blocks.<block type slug>.<block name> }}")
        }
        let document = try await document(typeSlug: parts[0], name: parts[1], placeholder: placeholder, at: path)
        guard parts.count == 3 else { return Self.unwrapped(document) }
        // A document with nothing but a value represents that value, unless the path itself begins with "value".
        let valuePath = parts[2]
        let isExplicit = valuePath == "value" || valuePath.hasPrefix("value.") || valuePath.hasPrefix("value[")
        guard let value = KeyPath.value(at: valuePath, in: isExplicit ? document : Self.unwrapped(document)) else {
            throw TemplateError(
                .unresolvedPath, path: path.description, placeholder: placeholder.description,
                problem: "the block document '\(parts[1])' of type '\(parts[0])' has nothing at '\(valuePath)'",
                remedy: "correct the path or the block document")
        }
        return value
    }

    private static func unwrapped(_ document: JSONValue) -> JSONValue {
        guard let members = document.objectValue, members.count == 1, let value = members["value"] else {
            return document
        }
        return value
    }

    private mutating func document(id: String, at path: TemplatePath) async throws -> JSONValue {
        if let known = documentsByID[id] { return known }
        let problem = "the block document with the id '\(id)'"
        do {
            let document = try await references.blockDocument(id: id)
            documentsByID[id] = document
            return document
        } catch {
            throw Self.failure(error, reading: problem, placeholder: nil, at: path)
        }
    }

    private mutating func document(
        typeSlug: String, name: String, placeholder: Placeholder, at path: TemplatePath
    ) async throws -> JSONValue {
        let key = DocumentName(typeSlug: typeSlug, name: name)
        if let known = documentsByName[key] { return known }
        do {
            // No document has such a name, and the API would have no valid path for it.
            if typeSlug.isEmpty || name.isEmpty { throw ReferenceNotFound() }
            let document = try await references.blockDocument(typeSlug: typeSlug, name: name)
            documentsByName[key] = document
            return document
        } catch {
            throw Self.failure(
                error, reading: "the block document '\(name)' of type '\(typeSlug)'", placeholder: placeholder,
                at: path)
        }
    }

    // MARK: Variables

    mutating func resolveVariables(in value: JSONValue, at path: TemplatePath) async throws -> JSONValue {
        try path.checkDepth()
        switch value {
        case .string(let text):
            return try await resolveVariables(in: text, at: path)
        case .array(let elements):
            var resolved: [JSONValue] = []
            for (index, element) in elements.enumerated() {
                resolved.append(try await resolveVariables(in: element, at: path.appending(index: index)))
            }
            return .array(resolved)
        case .object(let members):
            var resolved: OrderedDictionary<String, JSONValue> = [:]
            for (key, member) in members {
                resolved[key] = try await resolveVariables(in: member, at: path.appending(key: key))
            }
            return .object(resolved)
        case .null, .bool, .int, .bigInteger, .double:
            return value
        }
    }

    private mutating func resolveVariables(in text: String, at path: TemplatePath) async throws -> JSONValue {
        let placeholders = Placeholder.all(in: text)
        guard placeholders.contains(where: { $0.kind == .variable }) else { return .string(text) }
        if let only = placeholders.first, only.isWhole(of: text) {
            let value = try await variable(of: only, at: path) ?? ""
            try budget.spend(value, at: path)
            return value
        }
        try budget.spend(text.utf8.count, at: path)
        var replacements: [String?] = []
        for placeholder in placeholders {
            guard placeholder.kind == .variable else {
                replacements.append(nil)
                continue
            }
            let text = try await variable(of: placeholder, at: path)?.pythonText ?? ""
            try budget.spend(text.utf8.count, at: path)
            replacements.append(text)
        }
        return .string(text.replacing(placeholders, with: replacements))
    }

    private mutating func variable(of placeholder: Placeholder, at path: TemplatePath) async throws -> JSONValue? {
        let name = placeholder.name.removingAll(Placeholder.variablePrefix)
        if let known = variables[name] { return known }
        // No variable has such a name, and the API would have no valid path for it.
        guard !name.utf8.allSatisfy({ $0 == UInt8(ascii: ".") }) else { return nil }
        do {
            let value = try await references.variable(named: name)
            variables[name] = .some(value)
            return value
        } catch is ReferenceNotFound {
            variables[name] = .some(nil)
            return nil
        } catch {
            throw Self.failure(error, reading: "the variable '\(name)'", placeholder: placeholder, at: path)
        }
    }

    private static func failure(
        _ error: any Error, reading subject: String, placeholder: Placeholder?, at path: TemplatePath
    ) -> any Error {
        switch error {
        case is CancellationError:
            return error
        case is ReferenceNotFound:
            return TemplateError(
                .blockNotFound, path: path.description, placeholder: placeholder?.description,
                problem: "\(subject) does not exist",
                remedy: "create the block or correct the deployment's or the work pool's configuration, which names it")
        default:
            return TemplateError(
                .lookupFailed, path: path.description, placeholder: placeholder?.description,
                problem: "\(subject) could not be read", remedy: "check that the API answers, and try again",
                cause: error)
        }
    }
}

extension String {
    /// The text with the placeholders replaced one by one; `nil` keeps a placeholder unchanged.
    fileprivate func replacing(_ placeholders: [Placeholder], with replacements: [String?]) -> String {
        var remaining = replacements[...]
        return replacing(placeholders) { (_) -> String? in remaining.popFirst() ?? nil }
    }

    fileprivate func removingAll(_ part: String) -> String {
        var rest = utf8[...]
        var kept: [UInt8] = []
        while let byte = rest.first {
            if rest.starts(with: part.utf8) {
                rest = rest.dropFirst(part.utf8.count)
            } else {
                kept.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: kept, as: UTF8.self)
    }
}
