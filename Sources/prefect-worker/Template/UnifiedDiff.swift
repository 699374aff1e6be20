/// The differences between two texts, in the form of `diff -u`.
enum UnifiedDiff {
    private enum Line {
        case both(String)
        case removed(String)
        case added(String)

        var text: String {
            switch self {
            case .both(let line): " " + line
            case .removed(let line): "-" + line
            case .added(let line): "+" + line
            }
        }

        var isChange: Bool { if case .both = self { false } else { true } }
        var isInOld: Bool { if case .added = self { false } else { true } }
        var isInNew: Bool { if case .removed = self { false } else { true } }
    }

    /// How many unchanged lines surround a change.
    private static let context = 3

    /// The lines of the difference, with the names of both texts at the beginning. Empty for equal texts.
    static func lines(from old: [String], named oldName: String, to new: [String], named newName: String) -> [String] {
        let script = script(from: old, to: new)
        let changes = script.indices.filter { script[$0].isChange }
        guard !changes.isEmpty else { return [] }
        var hunks: [Range<Int>] = []
        for change in changes {
            let hunk = max(0, change - context)..<min(script.count, change + context + 1)
            if let last = hunks.last, last.upperBound >= hunk.lowerBound {
                hunks[hunks.count - 1] = last.lowerBound..<hunk.upperBound
            } else {
                hunks.append(hunk)
            }
        }
        return ["--- \(oldName)", "+++ \(newName)"]
            + hunks.flatMap { hunk in
                let before = script[..<hunk.lowerBound]
                let lines = script[hunk]
                return [
                    "@@ -\(range(before, lines, \.isInOld)) +\(range(before, lines, \.isInNew)) @@"
                ] + lines.map(\.text)
            }
    }

    /// All lines of both texts in their order.
    private static func script(from old: [String], to new: [String]) -> [Line] {
        let difference = new.difference(from: old)
        var removals: Set<Int> = []
        var insertions: Set<Int> = []
        for change in difference {
            switch change {
            case .remove(let offset, _, _): removals.insert(offset)
            case .insert(let offset, _, _): insertions.insert(offset)
            }
        }
        var script: [Line] = []
        var (left, right) = (0, 0)
        while left < old.count || right < new.count {
            if left < old.count, removals.contains(left) {
                script.append(.removed(old[left]))
                left += 1
            } else if right < new.count, insertions.contains(right) {
                script.append(.added(new[right]))
                right += 1
            } else {
                // Both texts have all other lines.
                if left < old.count { script.append(.both(old[left])) }
                left += 1
                right += 1
            }
        }
        return script
    }

    /// The first line and the number of lines, as the head of a hunk states them.
    private static func range(
        _ before: ArraySlice<Line>, _ lines: ArraySlice<Line>, _ isIncluded: (Line) -> Bool
    ) -> String {
        let count = lines.count(where: isIncluded)
        let start = before.count(where: isIncluded) + (count == 0 ? 0 : 1)
        return count == 1 ? "\(start)" : "\(start),\(count)"
    }
}
