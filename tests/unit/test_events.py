"""What every event must have, whatever it is about."""

from typing import get_args

from jobplane.schemas.records.events import BODIES, CommandBody, JobBody, MappingBody, Outcome, SnapshotBody


def test_every_body_has_one_subject() -> None:
    subjects = [body for union in (JobBody, SnapshotBody, MappingBody, CommandBody) for body in get_args(union)]
    assert sorted(body.__name__ for body in subjects) == sorted(body.__name__ for body in BODIES)
    assert set(get_args(Outcome)) <= set(BODIES)
