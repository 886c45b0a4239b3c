"""A group of commands whose errors say which command was probably meant, and how to pass SQL."""

import shlex
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

import click

from jobplane.controlplane.cli.terminal import INTERRUPTED, fail_with_os_error
from jobplane.schemas.suggestions import nearest_names, proposal

SQL = ("ALTER", "CREATE", "DESCRIBE", "DROP", "EXPLAIN", "INSERT", "SELECT", "SHOW")
"""Words that begin a statement, or that people often take for one."""
_PEEK, _JOBS = "`jobplane topic peek {}`", '`jobplane sql "SHOW JOBS"`'
_KAFKAS = (
    "use Kafka's own tools once no job uses the topic: `kafka-topics.sh --bootstrap-server HOST:PORT --delete "
    "--topic {}`"
)
INSTEAD: Mapping[tuple[str, ...], str] = {
    ("jobplane", "consume"): _PEEK,
    ("jobplane", "peek"): _PEEK,
    ("jobplane", "tail"): "`jobplane topic tail {}`",
    ("jobplane", "produce"): "`jobplane topic produce {}`",
    ("jobplane", "topics"): "`jobplane topic list`",
    ("jobplane", "jobs"): _JOBS,
    ("jobplane", "list"): _JOBS,
    ("jobplane", "ps"): _JOBS,
    ("jobplane", "status"): _JOBS,
    ("jobplane", "version"): "`jobplane --version`",
    ("jobplane", "create", "topic"): "`jobplane topic create {}`",
    ("jobplane", "describe", "topic"): "`jobplane topic describe {}`",
    ("jobplane", "drop", "topic"): _KAFKAS,
    ("jobplane", "select"): (
        '`jobplane sql --dry-run "INSERT INTO … SELECT …"` shows what a query would write, `jobplane topic peek TOPIC` '
        "the records of a topic"
    ),
    ("jobplane topic", "delete"): _KAFKAS,
    ("jobplane topic", "drop"): _KAFKAS,
    ("jobplane topic", "rm"): _KAFKAS,
    ("jobplane topic", "consume"): _PEEK,
}
"""What to type instead, by the group and the first words that were typed; `{}` is the topic's name."""
HELP, MOST_USED = "help", "sql"
_SHELL = frozenset('"$`\\!')
"""Characters that a shell interprets between double quotes."""


class CommandGroup(click.Group):
    """`help [COMMAND]` is `--help`; Ctrl-C ends with 130; unknown commands and misplaced flags say what to do.

    `modules` are the commands of modules of this package by module, which is imported for these commands only.
    """

    def __init__(self, *args: Any, modules: Mapping[str, tuple[str, ...]] = MappingProxyType({}), **extra: Any) -> None:
        super().__init__(*args, **extra)
        self._modules = {name: module for module, names in modules.items() for name in names}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """As in click, with the commands of modules that are not imported yet."""
        return sorted({*super().list_commands(ctx), *self._modules})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """As in click, once the module of the command is imported."""
        if module := self._modules.pop(cmd_name, None):
            for command in import_module(f"{__package__}.{module}").COMMANDS:
                self.add_command(command)
        return super().get_command(ctx, cmd_name)

    def load_commands(self) -> dict[str, click.Command]:
        """All commands by name."""
        context = click.Context(self)
        return {name: one for name in self.list_commands(context) if (one := self.get_command(context, name))}

    def main(self, *args: Any, **extra: Any) -> Any:
        """As in click, but an OSError, such as a full disk below standard output, is a message without a traceback."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            fail_with_os_error(error)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, with our own message for an unknown command."""
        word, *others = args
        if self.get_command(ctx, word) is not None:
            return super().resolve_command(ctx, args)
        if word.lower() != HELP:
            raise click.UsageError(_describe_unknown(word, others, self.list_commands(ctx), ctx.command_path), ctx)
        if not others:
            click.echo(ctx.get_help())
            ctx.exit()
        return self.resolve_command(ctx, [others[0], *others[1:], "--help"])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As in click, with our own message for a command's flag that stands before the command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            flag = unknown.option_name
            having = [
                name for name, one in self.load_commands().items() if any(flag in known.opts for known in one.params)
            ]
            meant = next((name for name in (*args, MOST_USED, *having) if name in having), None)
            if meant is None:
                raise
            raise click.UsageError(f"write '{flag}' after its command: `{ctx.command_path} {meant} {flag} …`") from None

    def invoke(self, ctx: click.Context) -> Any:
        """As in click, but Ctrl-C ends with exit code 130."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(INTERRUPTED)


def _describe_unknown(word: str, others: Sequence[str], commands: Sequence[str], path: str) -> str:
    """The message for an unknown command: what to do instead."""
    begin, *rest = word.split() or [word]
    words = [*rest, *others]
    nested = " " in path
    if instead := _replacement(path, begin.lower(), words):
        return instead
    if not nested and begin.upper() in SQL:
        return f"'{begin}' begins a SQL statement; run it with: {_sql_command(begin.upper(), words)}"
    if near := nearest_names(word, commands):
        return f"there is no command '{word}'{proposal(f'`{path} {one}`' for one in near)}"
    if not nested and (keyword := nearest_names(begin, SQL)):
        return f"there is no command '{begin}'{proposal([_sql_command(keyword[0], words)])}"
    return f"there is no command '{word}'; commands are {', '.join(commands)}"


def _replacement(path: str, begin: str, words: Sequence[str]) -> str:
    """The message for words that are commands of other tools; empty for all other words."""
    first = words[0].lower() if words else ""
    for typed, rest in (((begin, first), words[1:]), ((begin,), words)):
        if (remedy := INSTEAD.get((path, *typed))) is not None:
            topic = next((one for one in rest if not one.startswith("-")), "TOPIC")
            return f"there is no command '{' '.join(typed)}': {remedy.format(shlex.quote(topic))}"
    return ""


def _sql_command(begin: str, words: Sequence[str]) -> str:
    """The `jobplane sql` command for SQL that was typed as a command; flags follow the statement."""
    flags = next((i for i, one in enumerate(words) if one.startswith("-")), len(words))
    rest = list(words[:flags]) or (["JOBS"] if begin == "SHOW" else ["…"])
    rest[0] = rest[0].upper() if rest[0].isalpha() else rest[0]
    text = " ".join((begin, *rest))
    return f"`{' '.join(('jobplane sql', quote_statement(text), *map(shlex.quote, words[flags:])))}`"


def quote_statement(statement: str) -> str:
    """The statement quoted as one argument of a shell command."""
    return shlex.quote(statement) if _SHELL & set(statement) else f'"{statement}"'
