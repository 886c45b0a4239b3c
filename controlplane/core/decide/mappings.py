"""Decides statements on mappings. A job keeps the definition it was created with, so its mapping may be replaced."""

from jobplane.controlplane.core.decide.formats import add_schema_columns
from jobplane.controlplane.core.facts import Facts, check_reserved, quoted_list
from jobplane.controlplane.core.state import State, jobs_using_mapping
from jobplane.schemas.errors import MappingExists, MappingInUse, MappingNotFound
from jobplane.schemas.records.events import Body, CommandUnchanged, MappingCreated, MappingDropped
from jobplane.schemas.records.mappings import TopicMapping
from jobplane.schemas.suggestions import did_you_mean
from jobplane.sql.mapping import build_mapping
from jobplane.sql.plan.grouping.watermarks import check_watermark
from jobplane.sql.syntax import statements


def create_mapping(state: State, create: statements.CreateMapping, facts: Facts, prefix: str) -> tuple[Body, ...]:
    mapping = build_mapping(create)
    check_reserved(mapping.topic, prefix, create.topic.place)
    known = state.mappings.get(mapping.name)
    if known is not None and not create.or_replace:
        if not create.if_not_exists:
            raise MappingExists(
                f"a mapping '{mapping.name}' exists; DROP it first, or CREATE OR REPLACE it", create.name.place
            )
        same = _definition(known) == _definition(mapping)
        notices = () if same else ("the existing mapping has another definition",)
        return (CommandUnchanged("", f"mapping '{mapping.name}' exists", notices),)
    facts.topic(mapping.topic, create.topic.place)
    mapping, unknown = add_schema_columns(mapping, facts, create.topic.place)
    if create.watermark is not None:
        check_watermark(create.watermark, mapping)
    users = jobs_using_mapping(state, mapping.name)
    kept = (f"the jobs {quoted_list(users)} keep the mapping they were created with",) if users else ()
    return (MappingCreated(mapping, (*unknown, *kept)),)


def _definition(mapping: TopicMapping) -> tuple[object, ...]:
    return mapping.topic, mapping.columns, mapping.options, mapping.watermark


def drop_mapping(state: State, drop: statements.DropMapping) -> tuple[Body, ...]:
    name = drop.name.text
    if name not in state.mappings:
        if drop.if_exists:
            return (CommandUnchanged("", f"no mapping is called '{name}'"),)
        hint = did_you_mean(name, state.mappings)
        raise MappingNotFound(f"no mapping is called '{name}'{hint}", drop.name.place)
    if users := jobs_using_mapping(state, name):
        raise MappingInUse(
            f"mapping '{name}' is used by the jobs {quoted_list(users)}; DROP them first", drop.name.place
        )
    return (MappingDropped(name),)
