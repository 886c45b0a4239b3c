"""The query or queries of a job as text, from its canonical statement."""

import re

_JOB_HEAD = re.compile(
    r"""CREATE JOB (?:IF NOT EXISTS )?(?:\w+|"(?:[^"]|"")++")(?: OPTIONS \((?:'(?:[^']|'')*+'|[^')])*+\))?"""
    r" AS (?=INSERT|SINK|BEGIN)"
)


def insert_text(create: str) -> str:
    """The INSERT or set of a CREATE JOB in canonical form, without parsing it: there may be thousands of jobs."""
    head = _JOB_HEAD.match(create)
    return create[head.end() :] if head else create
