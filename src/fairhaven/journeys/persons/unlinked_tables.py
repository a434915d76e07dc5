"""Tables from which rows about persons are made and that do not say whose their rows are: an erasure could not reach them."""

from collections.abc import Iterator, Mapping

from fairhaven.harmonise import ABOUT_NO_PERSON, MappingFile
from fairhaven.intake import Source
from fairhaven.kernel.errors import Fault


def unlinked_tables(sources: Mapping[str, Source], mappings: Mapping[str, MappingFile]) -> Iterator[tuple[str, str]]:
    """(source, table) of each table that a rule about persons reads and that has neither patient nor ``belongs_to``.

    FHIR sources and CDMs have none: the standard says whose their rows are.
    """
    for name, source in sources.items():
        rules = [rule for mapping in source.mapping if mapping in mappings for rule in mappings[mapping].rules]
        about_persons = {table for rule in rules if rule.kind not in ABOUT_NO_PERSON for table in rule.tables}
        for table in source.tables.values():
            names_nobody = not table.patient and not table.belongs_to and not table.is_about_nobody
            if names_nobody and table.name in about_persons:
                yield name, table.name


def unlinked_table_warnings(sources: Mapping[str, Source], mappings: Mapping[str, MappingFile]) -> tuple[Fault, ...]:
    """What `check` says of them."""
    return tuple(
        Fault(
            path=f"sources/{source}.toml",
            field=f"tables.{table}",
            message=f"rows about persons are made from {table}, and it does not say whose its rows are. Opt-outs cannot leave "
            f"them out, and erasures of patients of {source} are refused. {WHAT_TO_DECLARE}",
        )
        for source, table in unlinked_tables(sources, mappings)
    )


WHAT_TO_DECLARE = (
    'Declare patient, or belongs_to = { table = "...", by = ["..."] } with the table through which its rows belong to '
    'patients, or belongs_to = "nobody" where they are about none.'
)
