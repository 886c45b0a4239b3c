"""One linear look at a text before the parser sees it: bounds, closed quotes, and where statements end.

After `check` no text can make the parser, or anything behind it, run out of stack or of time.
"""

import re

from jobplane.schemas.errors import BadSyntax, NestedTooDeep, NotUtf8, Place, StatementTooLarge

MAX_BYTES = 64 * 1024
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"""(?P<blank> \s+ | --[^\n]* | //[^\n]* | /\*.*?\*/ )
      | (?P<quoted> '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*" )
      | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<end> ; )
      | (?P<unclosed> ['"] | /\* )
      | (?P<other> \w+ | . )""",
    re.VERBOSE | re.DOTALL,
)
_IN_SET = frozenset({"INSERT", "SINK", "END"})
"""What follows a `;` within a statement set."""
_OTHER_QUOTE = re.compile("[\u2018\u2019\u201c\u201d\xab\xbb\xb4`]")
_UNCLOSED = {"'": "this string is not closed; end it with '", '"': 'this name is not closed; end it with "'}


def place_of(text: str, offset: int) -> Place:
    """The place of a character; lines end with a line feed."""
    return Place(text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))


def check_text(text: str) -> None:
    """Raises StatementTooLarge, NestedTooDeep, NotUtf8, or BadSyntax for what is opened and never closed."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        place = place_of(text, error.start)
        raise NotUtf8("the text holds half a surrogate pair; send it as UTF-8", place) from None
    if size > MAX_BYTES:
        raise StatementTooLarge(f"the statement has {size:,} bytes; at most {MAX_BYTES:,} are allowed")
    depth = 0
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            depth += 1
            if depth > MAX_DEPTH:
                message = f"parentheses are nested more than {MAX_DEPTH} deep"
                raise NestedTooDeep(message, place_of(text, token.start()))
        elif token.lastgroup == "close":
            depth -= 1
        elif token.lastgroup == "unclosed":
            raise _unclosed(text, token)


def open_brackets(text: str) -> list[int]:
    """The offsets of the brackets that are still open at the end of a text."""
    waiting: list[int] = []
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "open":
            waiting.append(token.start())
        elif token.lastgroup == "close" and waiting:
            waiting.pop()
    return waiting


def split_statements(text: str) -> list[tuple[int, str]]:
    """The statements of a script, each with the line it begins on, without its `;`. Comments alone are no statement.

    In a statement set, which begins with AS BEGIN, a `;` before INSERT, SINK or END ends no statement.
    Raises BadSyntax for a string, name or comment that is never closed: nothing after it could be told apart.
    """
    statements: list[tuple[int, int]] = []
    start = end = -1
    begins, before, is_set = True, "", False
    for token in _TOKEN.finditer(text):
        if token.lastgroup == "unclosed":
            raise _unclosed(text, token)
        if token.lastgroup == "end":
            begins = True
        elif token.lastgroup != "blank":
            word = token.group().upper()
            if begins and not (is_set and word in _IN_SET):
                if start >= 0:
                    statements.append((start, end))
                start, is_set = token.start(), False
            is_set = is_set or (before, word) == ("AS", "BEGIN")
            begins, before, end = False, word, token.end()
    if start >= 0:
        statements.append((start, end))
    return [(place_of(text, first).line, text[first:last]) for first, last in statements]


def _unclosed(text: str, token: re.Match[str]) -> BadSyntax:
    message = _UNCLOSED.get(token.group(), "this comment is not closed; end it with */")
    if token.group() == "'" and re.search(r"[\w\\]\Z", text[: token.start()]):
        message += "; a quote inside of a text is written twice: 'it''s'"
    elif token.group() != "/*" and (other := _OTHER_QUOTE.search(text, token.start())):
        message += f", not with {other.group()}"
    return BadSyntax(message, place_of(text, token.start()))
