"""Tables that do not say whose their rows are, so that an erasure could not reach them.

Declarations and mappings may have changed since rows were delivered: what an erasure must reach is what was landed.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from fairhaven.harmonise import ABOUT_NO_PERSON, MappingFile
from fairhaven.intake import Extract, Format, Source
from fairhaven.journeys.model import Rooms
from fairhaven.kernel.errors import Fault, NotAllowedNow


def unlinked_tables(sources: Mapping[str, Source], mappings: Mapping[str, MappingFile]) -> Iterator[tuple[str, str]]:
    """(source, table) of each table that has neither patient nor ``belongs_to``, unless only rules about no person read it.

    A table that no rule reads is one of them: a rule may have been taken away, and its rows are still kept. FHIR sources and
    CDMs have none: the standard says whose their rows are.
    """
    for name, source in sources.items():
        rules = [rule for mapping in source.mapping if mapping in mappings for rule in mappings[mapping].rules]
        about_persons = {table for rule in rules if rule.kind not in ABOUT_NO_PERSON for table in rule.tables}
        about_nobody = {
            table for rule in rules if rule.kind in ABOUT_NO_PERSON for table in rule.tables
        } - about_persons
        for table in source.tables.values():
            names_nobody = not table.patient and not table.belongs_to and not table.is_about_nobody
            if names_nobody and table.name not in about_nobody:
                yield name, table.name


def undeclared(name: str, source: Source | None, extracts: Iterable[Extract]) -> Iterator[str]:
    """What was landed of a source, and is declared no more, each with what to do about it.

    Args:
        source: as it is declared now; None where it is not.
        extracts: all of the source's.
    """
    if source is None:
        yield (
            f"{name} is not declared any more, so nobody knows whose rows its tables hold. Put sources/{name}.toml back as "
            "it was when its files were received; its mapping is not needed."
        )
        return
    formats = {extract.format for extract in extracts} - {source.format}
    if formats:
        yield (
            f"files of {name} were received as {', '.join(sorted(formats))}, and it is declared as {source.format}. Declare "
            "it as it was."
        )
    elif source.format in (Format.DELIMITED, Format.PARQUET):
        for table in sorted({table for extract in extracts for table in extract.tables} - source.tables.keys()):
            yield (
                f"rows of the table {table} of {name} were landed, and it is not declared any more. Put [tables.{table}] back "
                f"into sources/{name}.toml; where it has another name now, build first."
            )


def check_reach(rooms: Rooms, sources: Collection[str]) -> None:
    """Refuse an erasure that would leave rows of the person behind without a word, whoever begins or finishes it.

    Args:
        sources: those that know the person.

    Raises:
        NotAllowedNow: what was landed of these sources is declared no more, or does not say whose its rows are.
    """
    missing = [
        each for name in sources for each in undeclared(name, rooms.sources.get(name), rooms.intake.extracts(name))
    ]
    unlinked = [
        f"{table} of {source}" for source, table in unlinked_tables(rooms.sources, rooms.mappings) if source in sources
    ]
    if unlinked:
        missing.append(f"{', '.join(unlinked)} does not say whose its rows are. {WHAT_TO_DECLARE}")
    if missing:
        raise NotAllowedNow(
            f"nothing was erased now, because rows of the person could not be found: {' '.join(missing)} Then run this command again."
        )


def unlinked_table_warnings(sources: Mapping[str, Source], mappings: Mapping[str, MappingFile]) -> tuple[Fault, ...]:
    """What `check` says of them."""
    return tuple(
        Fault(
            path=f"sources/{source}.toml",
            field=f"tables.{table}",
            message=f"{table} does not say whose its rows are. Opt-outs cannot leave "
            f"them out, and erasures of patients of {source} are refused. {WHAT_TO_DECLARE}",
        )
        for source, table in unlinked_tables(sources, mappings)
    )


WHAT_TO_DECLARE = (
    'Declare patient, or belongs_to = { table = "...", by = ["..."] } with the table through which its rows belong to '
    'patients, or belongs_to = "nobody" where they are about none.'
)
