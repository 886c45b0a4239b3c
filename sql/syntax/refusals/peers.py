"""Statements of other systems: the rows that say what to write here instead."""

from collections.abc import Iterator

from jobplane.schemas.errors import BadSyntax, NotSupported
from jobplane.sql.syntax.refusals.unsupported import NAME, RefusalRow

_JOB = rf"(?:\s+(?:JOB|QUERY|PIPELINE|STREAM)\b)?(?:\s+(?P<job>{NAME}))?"
_GIVEN = rf"(?:\s+IF\s+(?:NOT\s+)?EXISTS)?(?:\s+(?P<job>{NAME}))?"
_TOPIC = r"(?:\s+IF\s+(?:NOT\s+)?EXISTS)?(?:\s+['\"]?(?P<topic>[\w.-]+)['\"]?)?"
_END = r"\s*(?:;|\Z)"
_SUSPEND, _RESUME, _RESTART = (f"ALTER JOB {{job}} {action}" for action in ("SUSPEND", "RESUME", "RESTART"))
_SUSPEND_OR_DROP = f"{_SUSPEND} to pause the job, DROP JOB {{job}} to end it"
_BEGIN_ANEW = "DROP JOB {job} WITH SNAPSHOT s, then CREATE JOB … OPTIONS (initialSnapshotName 's') AS …"
_ONE_JOB = "a statement is about one job; SHOW JOBS lists the jobs"
_NO_DATABASES = "there are no databases; a name is that of a topic, mapping or job"
_NO_USERS = "there are no users; Kafka's ACLs say who may read and write topics"

_OF_JOBS = {
    "PAUSE|HALT|FREEZE|SUSPEND": _SUSPEND,
    "STOP|CANCEL|TERMINATE|KILL|ABORT": _SUSPEND_OR_DROP,
    "START|RUN|CONTINUE|UNPAUSE|RESUME": _RESUME,
    "RESTART|RELOAD|REFRESH": _RESTART,
    r"REMOVE|DELETE(?=\s+JOB\b)|UNDEPLOY": "DROP JOB {job}",
    "STATUS|INSPECT": "DESCRIBE JOB {job}",
    "RENAME": _BEGIN_ANEW,
}
"""A first word → the statement to type."""
_ACTIONS = {
    "PAUSE|HALT|FREEZE|SUSPENDED": _SUSPEND,
    "STOP": _SUSPEND_OR_DROP,
    "START|RUN|CONTINUE|UNPAUSE|ENABLE": _RESUME,
    "RELOAD|REBOOT|REFRESH": _RESTART,
    "KILL|CANCEL|TERMINATE|DELETE|DROP|ABORT": "DROP JOB {job}",
    "RENAME|AS": _BEGIN_ANEW,
    r"SET\s+OPTIONS|SET|WITH(?=\s*\()|ADD|MODIFY": "ALTER JOB {job} OPTIONS (name 'value')",
}
"""The word after ALTER JOB name → the statement to type."""
_SHOWN = {
    rf"QUERIES|PIPELINES|PROCESSLIST|RUNNING|STATUS|JOB(?={_END})|ALL\s+JOBS": "SHOW JOBS",
    r"(?:TABLES?|STREAMS?|SOURCES|SINKS|VIEWS)\b": "SHOW TOPICS, or SHOW MAPPINGS for those with columns",
    rf"SAVEPOINTS|CHECKPOINTS|SNAPSHOT(?={_END})": "SHOW SNAPSHOTS",
    rf"JOB\s+(?P<job>{NAME})": "DESCRIBE JOB {job}, or SHOW CREATE JOB {job}",
    rf"MAPPING\s+(?P<job>{NAME})": "DESCRIBE MAPPING {job}",
    rf"SNAPSHOT\s+(?P<job>{NAME})": "DESCRIBE SNAPSHOT {job}",
    rf"(?:TOPIC|COLUMNS\s+(?:FROM|IN)|PARTITIONS)\b{_TOPIC}": "SHOW TOPICS, or `jobplane topic describe {topic}`",
    r"FUNCTION\b": "SHOW FUNCTIONS",
    r"(?:PROPERTIES|OPTIONS|VARIABLES|SETTINGS)\b": "DESCRIBE JOB name, which shows the options of a job",
    r"VERSION\b": "`jobplane --version`, in a shell",
}
"""What follows SHOW or LIST → the statement to type."""
_CREATED = {
    rf"TOPIC\b{_TOPIC}": "a topic is created by `jobplane topic create {topic}`, in a shell",
    rf"(?:STREAM|TABLE|(?:MATERIALIZED\s+)?VIEW|QUERY|PIPELINE)\s+(?P<job>{NAME})\s*(?:WITH\s*\([^()]*\)\s*)?AS\b": (
        "write CREATE JOB {job} AS INSERT INTO {job} SELECT …; the job writes to a topic that exists"
    ),
    rf"(?:STREAM|TABLE|SOURCE\s+(?:STREAM|TABLE))\b{_GIVEN}": (
        "a topic needs no declaration; write CREATE MAPPING {job} (…) TYPE Kafka to give it columns"
    ),
    r"(?:TEMPORARY|TEMP|MATERIALIZED|VIEW)\b": "there are no views; WITH name AS (…) names a query inside a statement",
    r"(?:(?:SOURCE|SINK)\s+)?(?:CONNECTOR|CONNECTION|SOURCE|SINK)\b": (
        "a job reads topics and writes topics; Kafka Connect moves records between topics and other systems"
    ),
    r"(?:DATABASE|SCHEMA|CATALOG|NAMESPACE)\b": _NO_DATABASES,
    r"(?:USER|ROLE)\b": _NO_USERS,
    r"(?:FUNCTION|UDF)\b": "functions are Python packages that are installed with jobplane: docs/user-functions.md",
}
"""What follows CREATE → what to do."""
_DROPPED = {
    rf"TOPIC\b{_TOPIC}": (
        "topics are deleted with Kafka's own tools, such as kafka-topics.sh --delete --topic {topic}"
    ),
    rf"(?:STREAM|TABLE|QUERY|VIEW|SOURCE|SINK)\b{_GIVEN}": (
        "write DROP JOB {job}, or DROP MAPPING {job}; topics are deleted with Kafka's own tools"
    ),
    r"(?:FUNCTION|DATABASE|SCHEMA|USER|CONNECTOR)\b": "there is nothing of that kind; DROP a JOB, MAPPING or SNAPSHOT",
}
"""What follows DROP → what to do."""
_DESCRIBED = {
    r"JOBS\b": "DESCRIBE takes one job: DESCRIBE JOB name; SHOW JOBS lists the jobs",
    r"FUNCTIONS?\b": "write SHOW FUNCTIONS",
    rf"QUERY\s+(?P<job>{NAME})": "write DESCRIBE JOB {job}",
    rf"(?:(?:EXTENDED|FORMATTED|TOPIC|TABLE|STREAM|SOURCE)\s+)?['\"]?(?P<topic>[\w.-]+)['\"]?{_END}": (
        "write DESCRIBE JOB {topic} or DESCRIBE MAPPING {topic}; for a topic `jobplane topic describe {topic}`, "
        "and `jobplane topic peek {topic}` for its records"
    ),
}
"""What follows DESCRIBE or DESC → what to do."""
_OTHERS = {
    r"(?:HELP|MAN)\b|\?|\\[?h]": (
        "`jobplane --help` lists the commands, the README the statements, SHOW FUNCTIONS the functions"
    ),
    r"(?:EXIT|QUIT|BYE|CLEAR)\b|\\q": "there is no session to leave; `jobplane sql` ends with its input (Ctrl-D)",
    r"(?:USE|ATTACH|CONNECT)\b": _NO_DATABASES,
    r"(?:SET|UNSET|RESET|DEFINE|UNDEFINE|DECLARE)\b": (
        "there are no settings of a session; a job has OPTIONS (name 'value')"
    ),
    r"(?:BEGIN|COMMIT|ROLLBACK|END|START\s+TRANSACTION)\b": (
        "there are no transactions of statements; each is judged alone"
    ),
    r"(?:GRANT|REVOKE|DENY)\b": _NO_USERS,
    r"(?:CALL|EXECUTE|EXEC|PREPARE|ASSERT|ANALYZE|VACUUM|COMMENT)\b": (
        "there is no such statement; the README lists all there are"
    ),
    r"(?:COPY|LOAD|EXPORT|IMPORT|UNLOAD)\b": "`jobplane topic produce` writes records of a file, in a shell",
    rf"INFER\b{_TOPIC}": "`jobplane infer {topic}` proposes a mapping, in a shell",
    r"VERSION\b": "`jobplane --version` shows the version, in a shell",
    rf"TAIL\b{_TOPIC}": "`jobplane topic tail {topic}` shows records as they come, in a shell",
    rf"(?:PRINT|PEEK|BROWSE|CONSUME)\b{_TOPIC}": "`jobplane topic peek {topic}` shows records, in a shell",
}
"""A first word → what to do."""

_VERBS = "|".join(_OF_JOBS)
_NOT = "is not a statement; write"
_DROP = rf"^DROP\s+(?P<KIND>JOB|MAPPING|SNAPSHOT)\s+(?:IF\s+EXISTS\s+)?(?P<job>{NAME})\s*"


def _rows() -> Iterator[RefusalRow]:
    yield from (RefusalRow(r"^", word, answer) for word, answer in _OTHERS.items())
    yield RefusalRow(r"^", rf"(?:{_VERBS})\s+(?:JOBS?\s+)?(?:ALL\b|\*)", _ONE_JOB)
    yield RefusalRow(r"^(?:ALTER|DROP)\s+(?:JOBS?\s+)?", rf"ALL\b|\*|JOBS{_END}", _ONE_JOB)
    for word, write in _OF_JOBS.items():
        yield RefusalRow(r"^", rf"(?P<WORD>{word})\b{_JOB}", f"{{WORD}} {_NOT} {write}", BadSyntax)
    for word, write in _ACTIONS.items():
        before = rf"^ALTER\s+JOB\s+(?P<job>{NAME})\s+"
        yield RefusalRow(before, rf"(?P<WORD>{word})\b", f"{{WORD}} is not an action; write {write}", BadSyntax)
    for word, write in _SHOWN.items():
        yield RefusalRow(r"^SHOW\s+", rf"(?:{word})", f"write {write}", BadSyntax)
        yield RefusalRow(r"^", rf"LIST\s+(?:{word})", f"LIST {_NOT} {write}", BadSyntax)
    for word, answer in _CREATED.items():
        yield RefusalRow(r"^CREATE\s+(?:OR\s+REPLACE\s+)?", word, answer, NotSupported)
    for word, answer in _DROPPED.items():
        yield RefusalRow(r"^DROP\s+", word, answer, NotSupported)
    for word, answer in _DESCRIBED.items():
        yield RefusalRow(r"^DESCRIBE\s+", word, answer, BadSyntax)
        yield RefusalRow(r"^", rf"DESC\s+{word}", answer, BadSyntax)


_SINGLE = (
    RefusalRow(
        rf"^ALTER\s+JOB\s+(?P<job>{NAME})\s+(?:SUSPEND|RESUME|RESTART)\s+",
        r"OPTIONS\b",
        "OPTIONS stand before RESUME: ALTER JOB {job} OPTIONS (…) RESUME",
        BadSyntax,
    ),
    RefusalRow(
        r"^ALTER\s+", rf"TOPIC\b{_TOPIC}", "topics are altered with Kafka's own tools, such as kafka-configs.sh"
    ),
    RefusalRow(
        r"^ALTER\s+",
        rf"(?:MAPPING|TABLE|STREAM|VIEW)\b{_GIVEN}",
        "a mapping is replaced: CREATE OR REPLACE MAPPING {job} (…) TYPE Kafka",
    ),
    RefusalRow(
        r"^ALTER\s+",
        rf"(?P<job>{NAME})\s+(?P<WORD>SUSPEND|RESUME|RESTART|OPTIONS)\b",
        "write ALTER JOB {job} {WORD}",
        BadSyntax,
    ),
    RefusalRow(r"^", r"(?P<WORD>LIST|LS)\s+(?P<WHAT>\w+)", f"{{WORD}} {_NOT} SHOW {{WHAT}}", BadSyntax),
    RefusalRow(r"^", r"(?P<WORD>LIST|LS|JOBS|PS)\b", f"{{WORD}} {_NOT} SHOW JOBS", BadSyntax),
    RefusalRow(
        r"^SHOW\s+CREATE\s+",
        rf"(?:MAPPING|TABLE|VIEW|STREAM)\s+(?P<job>{NAME})",
        "write DESCRIBE MAPPING {job}",
        BadSyntax,
    ),
    RefusalRow(
        r"^SHOW\s+HISTORY\s+(?:FOR\s+)?",
        rf"(?:OF\s+|FROM\s+)?(?P<job>(?!(?:JOB|FOR)\b){NAME}){_END}",
        "write SHOW HISTORY FOR JOB {job}",
        BadSyntax,
    ),
    RefusalRow(r"^SHOW\s+", r"(?:DATABASES|SCHEMAS|CATALOGS)\b", _NO_DATABASES),
    RefusalRow(r"^SHOW\s+", r"(?:CONNECTORS|USERS|GRANTS|TYPES|INDEXES)\b", "there is nothing of that kind here"),
    RefusalRow(
        r"^SHOW\s+(?P<WHAT>\w+)\s+",
        r"(?:WHERE|LIMIT|ORDER)\b",
        "SHOW lists everything, or by name: SHOW {WHAT} LIKE 'a%'",
    ),
    RefusalRow(
        r"^",
        rf"DESC\s+(?P<KIND>JOB|MAPPING|SNAPSHOT)\s+(?P<job>{NAME})",
        f"DESC {_NOT} DESCRIBE {{KIND}} {{job}}",
        BadSyntax,
    ),
    RefusalRow(
        r"^CREATE\s+", r"(?:SAVEPOINT|CHECKPOINT|BACKUP)\b", "write CREATE SNAPSHOT name FOR JOB name", BadSyntax
    ),
    RefusalRow(r"^CREATE\s+", rf"(?P<job>{NAME})\s+AS\b", "write CREATE JOB {job} AS", BadSyntax),
    RefusalRow(
        r"^DROP\s+",
        rf"(?P<job>{NAME}){_END}",
        "write DROP JOB {job}, DROP MAPPING {job} or DROP SNAPSHOT {job}",
        BadSyntax,
        expected="MAPPING",
    ),
    RefusalRow(_DROP, r",", "one name a statement", BadSyntax),
    RefusalRow(_DROP, r"(?:CASCADE|RESTRICT|FORCE|PURGE)\b", "leave out {found}", BadSyntax),
    RefusalRow(_DROP, r"SNAPSHOT\s+(?P<snapshot>\w+)", "write DROP JOB {job} WITH SNAPSHOT {snapshot}", BadSyntax),
    RefusalRow(rf"{_DROP}WITH\s+", r"SAVEPOINT\s+(?P<snapshot>\w+)", "write WITH SNAPSHOT {snapshot}", BadSyntax),
    RefusalRow(
        r"^EXPLAIN\s+(?:ANALYZE\s+|CODE\s+)?",
        rf"(?:JOB\s+)?(?P<job>{NAME}){_END}",
        "EXPLAIN takes a statement; for a job write DESCRIBE JOB {job} or SHOW CREATE JOB {job}",
        BadSyntax,
    ),
    RefusalRow(r"^", r"(?:jobplane|kcat|kafka-[\w-]+)\b", "this is a command of a shell, not a statement", BadSyntax),
    RefusalRow(r"^", r"\\", "`jobplane --help` lists the commands; none has a backslash", BadSyntax),
)
PEERS = (*_rows(), *_SINGLE)
