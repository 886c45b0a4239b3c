"""The grammar of the language as one text, to be read from top to bottom, and the names of its rules in messages.

Every token includes the blanks and comments after it. Expressions are flat here (`operand operator operand …`): a
parenthesis then costs few stack frames, and sql/syntax/precedence.py says what binds tighter.
"""

from jobplane.schemas.names import RESERVED
from jobplane.sql.syntax.rules import read_rules

_BLANKS = r"\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_EDGE = rf"(?!\w|(?![{_BLANKS}])[^\x00-\x7f])"
"""`<EDGE>` in the rules, the end of a word: no letter follows, of any script. The words themselves are ASCII (`a`)."""

RULES = r"""
text            = _ statement semicolon* end
statement       = create_job / create_snapshot / create_mapping / drop_job / drop_snapshot / drop_mapping / alter_job
                / show_create / show_history / show / describe / explain

create_job      = CREATE JOB if_not_exists? name options? AS inserts
drop_job        = DROP JOB if_exists? name with_snapshot?
alter_job       = ALTER JOB name (new_options / action)
create_snapshot = CREATE or_replace? SNAPSHOT name FOR JOB name
drop_snapshot   = DROP SNAPSHOT if_exists? name
create_mapping  = CREATE or_replace? EXTERNAL? MAPPING if_not_exists? name external_name? mapped? TYPE name options?
drop_mapping    = DROP EXTERNAL? MAPPING if_exists? name
show            = SHOW subject like_name? as_of?
show_create     = SHOW CREATE JOB name
show_history    = SHOW HISTORY FOR JOB name
describe        = DESCRIBE kind name
explain         = EXPLAIN explain_mode? explained
explain_mode    = ANALYZE / CODE
explained       = create_job / insert
lone_insert     = _ insert semicolon* end
lone_expression = _ expression end

if_not_exists   = IF NOT EXISTS
if_exists       = IF EXISTS
or_replace      = OR REPLACE
with_snapshot   = WITH SNAPSHOT name
action          = SUSPEND / RESUME / RESTART
new_options     = options RESUME?
subject         = JOBS / SNAPSHOTS / MAPPINGS / TOPICS / FUNCTIONS
kind            = JOB / MAPPING / SNAPSHOT
like_name       = LIKE string
as_of           = AS OF (at_offset / at_time)
at_offset       = OFFSET number
at_time         = TIMESTAMP string
external_name   = EXTERNAL NAME name
mapped          = open mapped_part (comma mapped_part)* close
mapped_part     = watermark / mapped_column
watermark       = WATERMARK FOR name AS expression idle?
idle            = IDLE AFTER interval
mapped_column   = name type external_name?
type            = interval_type / nested_type / row_type / simple_type
simple_type     = name PRECISION? type_size? time_zone?
nested_type     = (ARRAY / MAP) less type (comma type)? greater
row_type        = ROW open row_field (comma row_field)* close
row_field       = name type
interval_type   = INTERVAL unit (TO unit)?
type_size       = open number (comma number)? close
time_zone       = (WITH / WITHOUT) TIME ZONE

options         = OPTIONS open option_list? close
option_list     = option (comma option)*
option          = (name equals? string) / (string equals string)

inserts         = insert_set / insert
insert_set      = BEGIN insert (semicolon+ insert)* semicolon* END
insert          = (INSERT / SINK) INTO name columns? query emit?
emit            = EMIT (FINAL / CHANGES)
columns         = open name (comma name)* close
query           = bindings? select (UNION ALL select)*
bindings        = WITH binding (comma binding)*
binding         = name AS open query close
select          = SELECT DISTINCT? item (comma item)* FROM source unnest* where? group? having?
group           = GROUP BY expression (comma expression)*
having          = HAVING expression
source          = wrapped_window / window / derived / table
wrapped_window  = TABLE open windows_of close alias?
window          = windows_of alias?
windows_of      = window_function open window_argument (comma window_argument)* close
window_function = ~r"(?:TUMBLE|HOP|CUMULATE|SESSION|IMPOSE_ORDER)(?=\s*\()"ia _
window_argument = (name arrow)? (partitioned / window_input / descriptor / interval / string)
partitioned     = window_input PARTITION BY (several_keys / window_keys)
several_keys    = open window_keys close
window_keys     = window_key (comma window_key)*
window_key      = !descriptor !interval !(name arrow) column field*
window_input    = (TABLE inner_window) / (TABLE derived_input) / (TABLE name) / derived_input
inner_window    = open windows_of close
derived_input   = open query close
descriptor      = DESCRIPTOR open column field* close
derived         = open query close alias?
table           = name alias?
alias           = (AS name) / (!no_alias name)
no_alias        = emit_begin / set_end
emit_begin      = ~r"EMIT\s+(?:FINAL|CHANGES)<EDGE>"ia
set_end         = ~r"END(?:\s|;|--[^\n]*|//[^\n]*|/\*.*?\*/)*+\Z"ias
unnest          = cross UNNEST open expression close ordinality? unnest_alias?
cross           = (CROSS JOIN) / comma
ordinality      = WITH ORDINALITY
unnest_alias    = alias columns?
where           = WHERE expression
item            = star / source_star / value_item
source_star     = name dot star
value_item      = expression alias?

expression      = operand tail*
tail            = (operator operand) / test
test            = &test_begin (is / between / in / like)
test_begin      = ~r"(?:NOT|IS|BETWEEN|IN|LIKE)<EDGE>"ia
operand         = NOT? sign? primary postfix*
value           = operand (value_operator operand)*

is              = IS NOT? (distinct / truth_value)
distinct        = DISTINCT FROM value
truth_value     = NULL / TRUE / FALSE / UNKNOWN
between         = NOT? BETWEEN (SYMMETRIC / ASYMMETRIC)? value AND value
in              = NOT? IN open expressions close
like            = NOT? LIKE value escape?
escape          = ESCAPE value

postfix         = &postfix_begin (cast_to / element / field / zone)
postfix_begin   = ~r"::|[\[.]|AT<EDGE>"ia
cast_to         = "::" _ type
element         = bracket expression close_bracket
field           = dot name
zone            = AT TIME ZONE primary

primary         = parenthesis / number / string / form / call / column
parenthesis     = open expression close
form            = &form_begin (truth / null / case / cast / moment / interval / array / map / bytes / in_words)
form_begin      = ~r"(?:TRUE|FALSE|NULL|CASE|(?:TRY_)?CAST|DATE|TIME|TIMESTAMP|INTERVAL|ARRAY|MAP)<EDGE>|X'"ia / words
in_words        = &words (extract / substring / position / trim / overlay / json_value / json_object)
words           = ~r"(?:EXTRACT|SUBSTRING|POSITION|TRIM|OVERLAY|JSON_VALUE|JSON_OBJECT)<EDGE>"ia
case            = CASE (conditions / comparisons) else? END
conditions      = when+
comparisons     = expression when+
when            = WHEN expression THEN expression
else            = ELSE expression
cast            = (TRY_CAST / CAST) open expression AS type close
extract         = EXTRACT open name FROM expression close
substring       = SUBSTRING open expression FROM expression for? close
for             = FOR expression
position        = POSITION open value IN expression close
trim            = TRIM open trim_side? value? FROM expression close
trim_side       = LEADING / TRAILING / BOTH
overlay         = OVERLAY open expression PLACING expression FROM expression for? close
json_value      = JSON_VALUE open expression comma expression RETURNING type close
json_object     = JSON_OBJECT open json_pair (comma json_pair)* close
json_pair       = KEY? expression (VALUE / colon) expression
array           = ARRAY bracket expressions? close_bracket
map             = MAP bracket expressions? close_bracket
moment          = moment_type string
moment_type     = (TIMESTAMP WITH TIME ZONE) / TIMESTAMP / DATE / TIME
interval        = INTERVAL sign? string unit to_unit?
to_unit         = TO unit
unit            = ~r"(?:YEAR|QUARTER|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?<EDGE>"ia _
bytes           = ~r"X'(?:[0-9A-F]{2})*'"ia _
call            = function open call_arguments? close filter?
call_arguments  = star / (DISTINCT? arguments order_by?)
order_by        = ORDER BY order_item (comma order_item)*
order_item      = expression (ASC / DESC)? nulls?
nulls           = NULLS (FIRST / LAST)
filter          = FILTER open WHERE expression close
arguments       = argument (comma argument)*
argument        = lambda / expression
lambda          = parameters arrow expression
parameters      = name / several_names
several_names   = open name (comma name)* close
function        = (~r"(?:LEFT|RIGHT)(?=\s*\()"ia _) / bare
expressions     = expression (comma expression)*
truth           = TRUE / FALSE
null            = NULL ""
column          = name ""

operator        = ~r"(?:<=|>=|<>|!=|\|\||[=<>+*/%-]|(?:AND|OR)<EDGE>)"ia _
value_operator  = ~r"(?:\|\||[+*/%-])" _
sign            = ~r"[+-]" _
star            = "*" _
open            = "(" _
close           = ")" _
bracket         = "[" _
close_bracket   = "]" _
less            = "<" _
greater         = ">" _
comma           = "," _
arrow           = "=>" _
dot             = "." _
colon           = ":" !":" _
equals          = "=" _
semicolon       = ";" _
end             = ~r"\Z"

name            = bare / quoted
bare            = !reserved ~r"[^\W\d]\w*" _
quoted          = ~'"(?:[^"]|"")+"' _
string          = ~r"'(?:[^']|'')*'" _
number          = ~r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:E[+-]?[0-9]+)?(?!\.)<EDGE>"ia _
_               = ~r"(?:\s+|--[^\n]*|//[^\n]*|/\*.*?\*/)*"s
"""

_WORD_LIST = """
    AFTER ALL ALTER ANALYZE AND ARRAY AS ASC ASYMMETRIC AT BEGIN BETWEEN BOTH BY CASE CAST CHANGES CODE CREATE CROSS
    DATE DESC DESCRIBE DESCRIPTOR DISTINCT DROP ELSE EMIT END ESCAPE EXISTS EXPLAIN EXTERNAL EXTRACT FALSE FILTER FINAL
    FIRST FOR FROM FUNCTIONS GROUP HAVING HISTORY IDLE IF IN INSERT INTERVAL INTO IS JOB JOBS JOIN JSON_OBJECT
    JSON_VALUE KEY LAST LEADING LIKE MAP MAPPING MAPPINGS NAME NOT NULL NULLS OF OFFSET OPTIONS OR ORDER ORDINALITY
    OVERLAY PARTITION PLACING POSITION PRECISION REPLACE RESTART RESUME RETURNING ROW SELECT SHOW SINK SNAPSHOT
    SNAPSHOTS SUBSTRING SUSPEND SYMMETRIC TABLE THEN TIME TIMESTAMP TO TOPICS TRAILING TRIM TRUE TRY_CAST TYPE UNION
    UNKNOWN UNNEST VALUE WATERMARK WHEN WHERE WITH WITHOUT ZONE
"""
_WORDS = tuple(_WORD_LIST.split())

_keywords = "\n".join(rf'{word} = ~r"{word}<EDGE>"ia _' for word in _WORDS)
_reserved = rf'reserved = ~r"(?:{"|".join(sorted(RESERVED))})<EDGE>"ia'

TEXT = f"{RULES}\n{_keywords}\n{_reserved}".replace("<EDGE>", _EDGE)
GRAMMAR = read_rules(TEXT)

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
    "arrow": "'=>'",
    "end": "the end of the statement",
    "close_bracket": "']'",
    "greater": "'>'",
    "TYPE": "TYPE Kafka",
}
"""Rule → its name in messages. A rule that is not listed is never named as expected."""

COVERS = {
    "name": frozenset({"IF", "TABLE", "WATERMARK"}),
    "type": frozenset({"name", "ARRAY", "INTERVAL", "MAP", "ROW"}),
    "string": frozenset({"equals"}),
    "operand": frozenset({"NOT", "DISTINCT", "star", "number"}),
    "primary": frozenset({"TRUE", "FALSE", "NULL", "open", "string", "name", "number", "LEADING", "TRAILING", "BOTH"}),
    "operator": frozenset(
        {"IS", "AND", "OR", "NOT", "BETWEEN", "IN", "LIKE", "AT", "arrow", "open", "ORDER", "FILTER"}
    ),
    "WHERE": frozenset({"GROUP", "HAVING", "EMIT", "UNION", "CROSS", "comma", "AS", "name"}),
    "FROM": frozenset({"AS", "name", "open"}),
    "END": frozenset({"open"}),
    "JOB": frozenset({"EXTERNAL", "OR"}),
    "EXTERNAL": frozenset({"PRECISION"}),
    "PRECISION": frozenset({"WITH", "WITHOUT", "open"}),
    "close": frozenset({"PRECISION", "WITH", "WITHOUT"}),
    "greater": frozenset({"PRECISION", "WITH", "WITHOUT"}),
}
"""Where the key is expected, these go without saying."""
