"""The language as one text, read from top to bottom; what each rule is called when it was expected and not found.

Every token takes the blanks and comments after it along. Expressions are flat here (`operand operator operand …`): a
parenthesis then costs few stack frames, and sql/precedence.py says what binds tighter.
"""

from parsimonious.grammar import Grammar

RULES = r"""
text            = _ statement semicolon* end
statement       = create_job / create_snapshot / create_mapping / drop_job / drop_snapshot / drop_mapping / alter_job
                / show_create / show_history / show / describe

create_job      = CREATE JOB if_not_exists? name options? AS insert
drop_job        = DROP JOB if_exists? name with_snapshot?
alter_job       = ALTER JOB name (new_options / action)
create_snapshot = CREATE or_replace? SNAPSHOT name FOR JOB name
drop_snapshot   = DROP SNAPSHOT if_exists? name
create_mapping  = CREATE or_replace? EXTERNAL? MAPPING if_not_exists? name external_name? mapped? TYPE name options?
drop_mapping    = DROP EXTERNAL? MAPPING if_exists? name
show            = SHOW subject as_of?
show_create     = SHOW CREATE JOB name
show_history    = SHOW HISTORY FOR JOB name
describe        = DESCRIBE kind name

if_not_exists   = IF NOT EXISTS
if_exists       = IF EXISTS
or_replace      = OR REPLACE
with_snapshot   = WITH SNAPSHOT name
action          = SUSPEND / RESUME / RESTART
new_options     = options RESUME?
subject         = JOBS / SNAPSHOTS / MAPPINGS / TOPICS / FUNCTIONS
kind            = JOB / MAPPING / SNAPSHOT
as_of           = AS OF (at_offset / at_time)
at_offset       = OFFSET number
at_time         = TIMESTAMP string
external_name   = EXTERNAL NAME name
mapped          = open mapped_column (comma mapped_column)* close
mapped_column   = name type external_name?
type            = name PRECISION? type_size? time_zone?
type_size       = open number (comma number)? close
time_zone       = (WITH / WITHOUT) TIME ZONE

options         = OPTIONS open option_list? close
option_list     = option (comma option)*
option          = (name equals? string) / (string equals string)

insert          = (INSERT / SINK) INTO name columns? query
columns         = open name (comma name)* close
query           = SELECT item (comma item)* FROM name where?
where           = WHERE expression
item            = star / value_item
value_item      = expression alias?
alias           = (AS name) / name

expression      = operand (operator operand)*
operand         = NOT? sign? primary null_test*
null_test       = IS NOT? NULL
primary         = parenthesis / number / string / truth / null / column
parenthesis     = open expression close
truth           = TRUE / FALSE
null            = NULL ""
column          = name ""

operator        = ~r"(?:<=|>=|<>|!=|[=<>+*/%-]|(?:AND|OR)(?!\w))"ia _
sign            = ~r"[+-]" _
star            = "*" _
open            = "(" _
close           = ")" _
comma           = "," _
equals          = "=" _
semicolon       = ";" _
end             = ~r"\Z"

name            = bare / quoted
bare            = !reserved ~r"[A-Z_][A-Z0-9_]*"ia _
quoted          = ~'"(?:[^"]|"")+"' _
string          = ~r"'(?:[^']|'')*'" _
number          = ~r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:E[+-]?[0-9]+)?(?![\w.])"ia _
_               = ~r"(?:\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)*"s
"""

_WORD_LIST = """
    ALTER AS CREATE DESCRIBE DROP EXISTS EXTERNAL FALSE FOR FROM FUNCTIONS HISTORY IF INSERT INTO IS JOB JOBS MAPPING
    MAPPINGS NAME NOT NULL OF OFFSET OPTIONS OR PRECISION REPLACE RESTART RESUME SELECT SHOW SINK SNAPSHOT SNAPSHOTS
    SUSPEND TIME TIMESTAMP TOPICS TRUE TYPE WHERE WITH WITHOUT ZONE
"""
_RESERVED_WORD_LIST = """
    AND AS BETWEEN CASE CAST CREATE CROSS DISTINCT DROP EXCEPT EXISTS FALSE FROM FULL GROUP HAVING IN INNER INSERT
    INTERSECT INTO IS JOIN LEFT LIKE LIMIT NATURAL NOT NULL ON OR ORDER OUTER RIGHT SELECT TRUE UNION VALUES WHERE WITH
"""
_WORDS = tuple(_WORD_LIST.split())
RESERVED = frozenset(_RESERVED_WORD_LIST.split())
"""Words that are names only in double quotes. All other words of the language are legal bare names."""

_keywords = "\n".join(rf'{word} = ~r"{word}(?!\w)"ia _' for word in _WORDS)
_reserved = rf'reserved = ~r"(?:{"|".join(sorted(RESERVED))})(?!\w)"ia'

GRAMMAR = Grammar(f"{RULES}\n{_keywords}\n{_reserved}")

EXPECTED = {word: word for word in _WORDS} | {
    "name": "a name",
    "string": "a value in single quotes",
    "number": "a number",
    "type": "a type",
    "operand": "an expression",
    "primary": "an expression",
    "operator": "an operator",
    "star": "*",
    "open": "'('",
    "close": "')'",
    "comma": "','",
    "equals": "'='",
    "end": "the end of the statement",
}
"""Rule → what a person would call it. Rules not named here are never said to be expected."""

COVERS = {
    "name": frozenset({"IF"}),
    "type": frozenset({"name"}),
    "string": frozenset({"equals"}),
    "operand": frozenset({"NOT", "star", "number"}),
    "primary": frozenset({"TRUE", "FALSE", "NULL", "open", "string", "name", "number"}),
    "operator": frozenset({"IS", "AND", "OR"}),
}
"""Where the key is expected, these go without saying."""
