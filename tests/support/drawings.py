"""What of the documentation is drawn from the code: tables and pictures, by the names the pages give them."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import Field, fields
from enum import StrEnum
from functools import partial
from typing import Any

import click

from jobplane.controlplane.cli import main
from jobplane.controlplane.cli.command_group import CommandGroup
from jobplane.controlplane.core.transitions import ENDED, TRANSITIONS, JobInput
from jobplane.controlplane.settings import ENVIRONMENT, Settings
from jobplane.controlplane.topics import TOPICS
from jobplane.controlplane.web.metrics import WorkerMetrics, exposition
from jobplane.schemas import errors
from jobplane.schemas import failures as failures_of_jobs
from jobplane.schemas import setup_errors as setup
from jobplane.schemas.options import JobOptions, is_alterable, sql_name
from jobplane.schemas.records.commands import ATTRIBUTES
from jobplane.schemas.records.state import Status
from jobplane.sql.functions import BUILT_IN
from jobplane.sql.functions.listing import FORMS, OPERATORS, list_aggregates
from jobplane.sql.functions.signature import Function


def table(columns: str, rows: Sequence[Sequence[str]]) -> str:
    """`columns` are separated by ` | `."""
    head = [f"| {columns} |", "|" + "---|" * len(columns.split(" | "))]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def options() -> str:
    rows = [
        (f"`{name}`", *values(one), "yes" if is_alterable(name) else "no", str(one.metadata["doc"]))
        for one in fields(JobOptions)
        for name in (sql_name(one.name),)
    ]
    return table("option | values | default | ALTER | meaning", rows)


def values(option: "Field[Any]") -> tuple[str, str]:
    """What an option takes, and its default."""
    default = f"`'{option.default}'`" if option.default else "none"
    about = option.metadata
    if option.type is bool:
        return "`'true'`, `'false'`", f"`'{str(option.default).lower()}'`"
    if option.type is int:
        alone = f"`'{about['also']}'`, " if about["also"] is not None else ""
        return f"{alone}`'{about['low']}'` … `'{about['high']}'`", default
    if isinstance(option.default, StrEnum):
        return ", ".join(f"`'{one}'`" for one in type(option.default)), default
    return str(about["takes"]), default


def operators() -> str:
    """Operators and forms of the grammar. A bar would end the cell."""
    rows = [(f"`{name}`", f"`{how}`", about) for name, how, about in (*OPERATORS, *FORMS)]
    return table("name | signature | meaning", [[cell.replace("|", r"\|") for cell in row] for row in rows])


def functions(module: str) -> str:
    """Those of a module of jobplane.sql.functions, by name; the words that one takes stand with `/` between them."""
    rows = [
        (f"`{one.signature.replace('|', '/')}`", one.summary)
        for name in sorted(BUILT_IN.functions)
        for one in BUILT_IN.functions[name]
        if module_of(one) == module
    ]
    return table("signature | meaning", rows)


def aggregates() -> str:
    """Those of one name and meaning that differ in the types they take are one row."""
    rows: dict[tuple[str, str], list[str]] = {}
    for name, signature, meaning, _ in list_aggregates():
        rows.setdefault((name, meaning), []).append(f"`{signature}`")
    return table("signature | meaning", [("<br>".join(ways), meaning) for (_, meaning), ways in rows.items()])


def module_of(function: Function) -> str:
    return str(function.call.__module__).rpartition(".")[2]


def settings() -> str:
    rows = [
        (
            f"`{one.name}`",
            flag(one.name),
            f"`{ENVIRONMENT}{one.name.upper()}`",
            f"`{one.default}`" if one.default != "" else "none",
            one.metadata["doc"],
        )
        for one in fields(Settings)
        if one.name not in ("kafka", "registry")
    ]
    return table("setting | flag | environment | default | meaning", rows)


def flag(setting: str) -> str:
    """The flag of a setting, with the commands that have it: those of a group under the group's name."""
    having = [name for name, command in main.main.load_commands().items() if _takes(command, setting)]
    lacking = [name for name in main.main.load_commands() if name not in having]
    if not having:
        return "none"
    where = ", ".join(having) if len(having) <= len(lacking) else f"all but {', '.join(lacking)}"
    return f"`--{setting.replace('_', '-')}` ({where if lacking else 'all'})"


def _takes(command: click.Command, setting: str) -> bool:
    if isinstance(command, CommandGroup):
        return any(_takes(one, setting) for one in command.load_commands().values())
    return any(one.name == setting for one in command.params)


def error_table(root: type[errors.JobplaneError]) -> str:
    """Every error with a code under `root`; its docstring is its entry. Of job failures none passes by itself."""
    found = [one for one in errors.BY_CODE.values() if issubclass(one, root)]
    assert all(one.__doc__ for one in found)
    rows = [
        (
            f"`{one.code}`",
            " ".join(str(one.__doc__).split()),
            str(one.blame),
            str(int(one.exit_code)),
            "yes" if one.again else "no",
        )
        for one in found
    ]
    if root is failures_of_jobs.JobFailure:
        return table("code | meaning | fixed by | exit code", [row[:-1] for row in rows])
    return table("code | meaning | fixed by | exit code | again?", rows)


def refusals() -> str:
    return error_table(errors.Refused)


def failures() -> str:
    return error_table(failures_of_jobs.JobFailure)


def setup_errors() -> str:
    return error_table(setup.SetupError)


def attributes() -> str:
    rows = [
        (f"`{one.header}`", f"`{one.field}`", f"`{one.cloud}`" if one.cloud else "", str(one.longest), one.doc)
        for one in ATTRIBUTES
    ]
    return table("header | field | CloudEvents | characters | meaning", rows)


def topics() -> str:
    rows = [
        (f"`{one.name}`", str(one.partitions), one.cleanup, ", ".join(f"`{k}={v}`" for k, v in one.config.items()))
        for one in TOPICS
    ]
    return table("topic | partitions | cleanup.policy | created with", rows)


def metrics() -> str:
    """Every family with its labels, from an exposition of one task and one job."""
    tasks = [("job", "task", {"records_refused_BAD_RECORD": 1, "open_windows": 1, "watermark": 1})]
    text = exposition(WorkerMetrics(tasks=tasks, jobs=[("job", "RUNNING")]))[1].decode()
    rows = []
    for family, about in re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE):
        sample = re.search(rf"^{family}(?:{{(.*)}})? ", text, re.MULTILINE)
        assert sample
        rows.append((f"`{family}`", ", ".join(f"`{one}`" for one in re.findall(r'(\w+)="', sample[1] or "")), about))
    return table("metric | labels | meaning", rows)


def states() -> str:
    """What more than three statuses have in common is drawn once, from a node that stands for them."""
    sources: dict[tuple[JobInput, Status], list[Status]] = defaultdict(list)
    for (status, happened), then in TRANSITIONS.items():
        sources[happened, then].append(status)
    arrows: dict[tuple[str, Status], list[JobInput]] = defaultdict(list)
    for (happened, then), having in sources.items():
        for node in having if len(having) <= 3 else ["live"]:
            arrows[node, then].append(happened)
    lines = [f"    {node} --> {then}: {' / '.join(inputs)}" for (node, then), inputs in arrows.items()]
    first = ['    state "any live status" as live', f"    [*] --> {Status.NOT_RUNNING}: CREATE JOB"]
    last = [f"    {status} --> [*]" for status in ENDED]
    return "\n".join(["```mermaid", "stateDiagram-v2", *first, *lines, *last, "```"])


def transitions() -> str:
    order = list(Status)
    ordered = sorted(TRANSITIONS.items(), key=lambda one: order.index(one[0][0]))
    rows = [(f"`{status}`", str(happened), f"`{then}`") for (status, happened), then in ordered]
    return table("status | what happens | then", rows)


MODULES = sorted({module_of(one) for several in BUILT_IN.functions.values() for one in several})
DRAWINGS: dict[str, Callable[[], str]] = {
    "options": options,
    "operators": operators,
    "aggregates": aggregates,
    **{f"functions-{one}": partial(functions, one) for one in MODULES},
    "settings": settings,
    "refusals": refusals,
    "failures": failures,
    "setup-errors": setup_errors,
    "topics": topics,
    "attributes": attributes,
    "metrics": metrics,
    "states": states,
    "transitions": transitions,
}
