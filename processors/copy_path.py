"""Whether a job moves whole record batches, as far as its plan, its options and its topics at CREATE say. Pure.

What only the task host can know comes on top: settings of the sink as they are now, and the batches themselves.
"""

from collections.abc import Sequence

from jobplane.schemas.options import CopyPath, Guarantee, JobOptions
from jobplane.schemas.records.sources import Sink, Source
from jobplane.sql.plan.graph import Plan


def copies_records(plan: Plan) -> bool:
    """Whether records of some source go on as they are, be they filtered or not."""
    return any(branch.copies for branch in plan.branches)


def why_rows(plan: Plan, options: JobOptions, sources: Sequence[Source], sinks: Sequence[Sink]) -> str:
    """Why a job moves its records one by one; empty where it moves whole batches."""
    branches = plan.branches
    if any(branch.sink.target for branch in branches):
        return "the job has several INSERTs"
    if not all(branch.copies for branch in branches):
        return "the query makes new records"
    if len(branches) > 1:
        return "the query reads its source more than once, or several sources"
    if branches[0].steps:
        return "the query has a filter"
    if options.copy is CopyPath.ROWS:
        return "the option copy is 'rows'"
    if options.processing_guarantee is not Guarantee.EXACTLY_ONCE:
        return f"the option processingGuarantee is '{options.processing_guarantee}'"
    if any(source.letters for source in sources):
        return "the job reads dead letters"
    partitions, (sink,) = len(sources[0].start), sinks
    if partitions != sink.partitions:
        return f"the source has {partitions} partitions and the sink {sink.partitions}"
    return ""


def path(plan: Plan, options: JobOptions, sources: Sequence[Source], sinks: Sequence[Sink]) -> str:
    """How records go from the source to the sinks, for EXPLAIN."""
    reason = why_rows(plan, options, sources, sinks)
    return f"record by record: {reason}" if reason else "whole record batches, where the sink's settings allow it"
