"""What the command line answers to words it does not know, and the examples that end its help."""

import shlex
from collections.abc import Iterator
from importlib import import_module
from itertools import groupby, takewhile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from jobplane.controlplane.cli.command_group import CommandGroup
from jobplane.controlplane.cli.main import MODULES, main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("show jobs", "Error: 'show' begins a SQL statement; run it with: `jobplane sql \"SHOW JOBS\"`"),
        ("show", 'run it with: `jobplane sql "SHOW JOBS"`'),
        ("SHOW JOBS -o json", '`jobplane sql "SHOW JOBS" -o json`'),
        ("'describe job big'", '`jobplane sql "DESCRIBE JOB big"`'),
        ("""create job a as insert into '"b"' select id from c""", '`jobplane sql \'CREATE JOB a as insert into "b"'),
        ("snow jobs", "Error: there is no command 'snow'; did you mean `jobplane sql \"SHOW JOBS\"`?"),
        ("sq", "Error: there is no command 'sq'; commands are backup, deadletters, dev, emit"),
        ("sqll", "Error: there is no command 'sqll'; did you mean `jobplane sql`?"),
        ("emitt x", "did you mean `jobplane emit`?"),
        ("dead-letters list a", "did you mean `jobplane deadletters`?"),
        ("deadletters lst a", "Error: there is no command 'lst'; did you mean `jobplane deadletters list`?"),
        ("deadletters select", "Error: there is no command 'select'; commands are list, retry, show"),
        ("frobnicate", "Error: there is no command 'frobnicate'; commands are backup, deadletters, dev, emit"),
        ("create topic x", "Error: there is no command 'create topic': `jobplane topic create x`"),
        ("'create topic x'", "`jobplane topic create x`"),
        ("drop topic x", "kafka-topics.sh --bootstrap-server HOST:PORT --delete --topic x`"),
        ("topic delete x", "Error: there is no command 'delete': use Kafka's own tools"),
        ("select '*' from orders", '`jobplane sql --dry-run "INSERT INTO … SELECT …"` shows what'),
        ("consume --from oldest", "`jobplane topic peek"),
        ("peek orders", "Error: there is no command 'peek': `jobplane topic peek orders`"),
        ("tail orders", "`jobplane topic tail orders`"),
        ("produce orders", "`jobplane topic produce orders`"),
        ("jobs", "Error: there is no command 'jobs': `jobplane sql \"SHOW JOBS\"`"),
        ("status", '`jobplane sql "SHOW JOBS"`'),
        ("ps", '`jobplane sql "SHOW JOBS"`'),
        ("version", "`jobplane --version`"),
        ("sql SHOW JOBS", 'quote the statement: jobplane sql "SHOW JOBS"'),
        ("sql DESCRIBE JOB 'a b'", 'quote the statement: jobplane sql "DESCRIBE JOB a b"'),
        ("-e 'SHOW JOBS'", "Error: write '-e' after its command: `jobplane sql -e …`"),
        ("--timout 3", "No such option: --timout"),
        ("sql --timout 3 x", "(Possible options: --output, --timeout)"),
    ],
)
def test_unknown_words_are_answered_with_what_to_type(words: str, said: str) -> None:
    done = CliRunner().invoke(main, shlex.split(words), prog_name="jobplane")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("sql x --timeout abc", "'--timeout': 'abc' is not a number of seconds"),
        ("sql x --timeout nan", "'--timeout': 'nan' is not a number of seconds"),
        ("sql x --timeout 0", "'--timeout': the value must be at least 0.1, not 0"),
        ("sql x --last many", "'--last': 'many' is not a whole number"),
        ("topic peek x -n 0", "'-n': the value must be at least 1, not 0"),
        ("dev --port 70000", "'--port': the value must be between 0 and 65535, not 70000"),
        ("dev --web-port 70000", "'--web-port': the value must be between 0 and 65535, not 70000"),
        ("worker --web-port 70000", "'--web-port': the value must be between 0 and 65535, not 70000"),
        ("worker --hosts -3", "'--hosts': the value must be at least 0, not -3"),
        ("worker --bootstrap 127.0.0.1:abc", "command line: bootstrap '127.0.0.1:abc': 'abc' is not a port"),
    ],
)
def test_a_wrong_value_of_a_flag_is_told_in_our_words(words: str, said: str) -> None:
    done = CliRunner().invoke(main, shlex.split(words), prog_name="jobplane")
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "same"),
    [("help", "--help"), ("help sql", "sql --help"), ("deadletters help list", "deadletters list --help")],
)
def test_help_is_a_command_too(words: str, same: str) -> None:
    done = CliRunner().invoke(main, words.split(), prog_name="jobplane")
    assert done.exit_code == 0
    assert done.output == CliRunner().invoke(main, same.split(), prog_name="jobplane").output


def commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, CommandGroup):
        for name, one in command.load_commands().items():
            yield from commands(f"{path} {name}", one)


ALL = dict(commands("jobplane", main))


def test_each_command_is_listed_with_its_module() -> None:
    listed = {module: import_module(f"jobplane.controlplane.cli.{module}").COMMANDS for module in MODULES}
    assert {module: {command.name for command in found} for module, found in listed.items()} == {
        module: set(names) for module, names in MODULES.items()
    }


@pytest.mark.parametrize("path", ALL)
def test_every_help_ends_with_an_example_that_can_be_typed(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("jobs.sql", "jobplane.backup", "orders.jsonl"):
        Path(file).touch()
    shown = CliRunner().invoke(main, [*path.split()[1:], "--help"], prog_name="jobplane", terminal_width=200).output
    examples = shown.partition("\n  Examples:\n")[2]
    assert all(len(line) <= 80 for line in examples.splitlines()), f"an example of {path} --help is too wide"
    lines = [line.strip() for line in examples.replace("\\\n", "").splitlines()]
    assert any(line.startswith(path) for line in lines), f"{path} --help ends without an example of it"
    for line in lines:
        for words in pipeline(line):
            if words[0] == "jobplane":
                parse(main, words[1:])


def pipeline(line: str) -> Iterator[list[str]]:
    """The programs of a line of shell, each with its arguments."""
    signs = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    signs.whitespace_split = True
    for pipes, call in groupby(signs, "|".__eq__):
        if not pipes:
            yield list(takewhile(lambda word: word not in "<>", call))


def parse(command: click.Command, words: list[str]) -> None:
    """Raises UsageError for an unknown command or flag, a wrong value, or a missing one."""
    with command.make_context("jobplane", words) as ctx:
        if isinstance(command, CommandGroup):
            name, *others = ctx._protected_args + ctx.args
            known = command.load_commands()
            assert name == "help" or name in known, f"there is no command {name}"
            if name != "help":
                parse(known[name], others)
