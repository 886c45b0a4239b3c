"""Where a text is in another for the n-th time, in time linear in both; occurrences may overlap."""


def find_nth(text: str, part: str, start: int, occurrence: int) -> int:
    """The index of that occurrence of the part from the index `start` on; -1 for none."""
    if occurrence == 1:
        return text.find(part, start)
    if not part:
        index = start + occurrence - 1
        return index if index <= len(text) else -1
    borders, matched = _borders(part), 0
    for index in range(start, len(text)):
        while matched and (matched == len(part) or part[matched] != text[index]):
            matched = borders[matched - 1]
        matched += part[matched] == text[index]
        if matched == len(part):
            occurrence -= 1
            if not occurrence:
                return index - len(part) + 1
    return -1


def _borders(part: str) -> list[int]:
    """For each beginning of the part: the length of its longest proper beginning that is also its end."""
    borders, length = [0], 0
    for character in part[1:]:
        while length and part[length] != character:
            length = borders[length - 1]
        length += part[length] == character
        borders.append(length)
    return borders
