"""What the command line says next after a job was stopped."""

import re

import pytest

from jobplane.controlplane.cli.next_steps import next_step
from jobplane.schemas import failures
from jobplane.sql.syntax.parser import split_statements


def test_a_bad_record_is_left_out_by_a_statement_that_can_be_copied() -> None:
    assert next_step("BAD_RECORD: it is not JSON (s-0@1)", "order copy", "SUSPENDED") == (
        "to skip such records: ALTER JOB \"order copy\" OPTIONS (onError 'skip') RESUME; docs/bad-records.md"
    )


@pytest.mark.parametrize("failure", ["snapshot 's' failed: x", "the job has ended: CANCELLED", "JOB_DROPPED: x"])
def test_other_failures_have_none(failure: str) -> None:
    assert next_step(failure, "z", "SUSPENDED") == ""


def test_a_job_that_ended_has_none() -> None:
    assert next_step("BAD_RECORD: x", "z", "FAILED") == ""


def test_every_code_that_suspends_a_job_has_one_and_its_statement_is_read() -> None:
    codes = {one.code for one in vars(failures).values() if isinstance(one, type) and hasattr(one, "code")}
    for code in sorted(codes - {"JOB_DROPPED"}):
        step = next_step(f"{code}: x", "z", "SUSPENDED")
        (statement,) = re.findall(r"(?:ALTER|DROP) JOB z[^;,]*", step)
        assert split_statements(statement), code
