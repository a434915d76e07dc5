"""Row links: how a row without a patient number belongs to a patient, through rows of other tables.

A row is *called* by a text made of its table and columns that others refer to, and *belongs* to the row that is called by the
text made of its own columns. Keyed digests of these texts are kept: in landed tables of a declared source, so that what is withheld of the
columns themselves loses no row its patient; beside quarantined rows; and as tombstones of rows that were erased, so that what belongs to
them is known again in whatever is delivered later.

The numbers that join the tables of a CDM may be anybody's NHS number or a patient's own, known now or later. Each lands as another number,
its keyed digest, the same in every table and delivery. So of a CDM's row both texts are looked at, of its number and of that digest: what
a delivery says is known again in what landed.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb

from fairhaven.engine.sql import identifier, literal
from fairhaven.intake.model import Format, Source
from fairhaven.kernel.ids import SEPARATOR, row_key_sql
from fairhaven.omop import CDM


@dataclass(frozen=True, kw_only=True, slots=True)
class RowLink:
    """Rows of one table belong to rows of another.

    Args:
        table: whose rows belong.
        to: the table to whose rows they belong; empty where *own* is the source's number of a patient.
        own, its: columns of the two tables; equal values make rows belong together.
        when: SQL over the rows of *table*; the link is there only where it is true. Empty for always.
        kept_by: tables of which a row that is left, and has the values too, keeps the row: an address that others have.
        is_numbered: its columns are a CDM's numbers of rows.
    """

    table: str
    to: str
    own: tuple[str, ...]
    its: tuple[str, ...] = ()
    when: str = ""
    kept_by: tuple[str, ...] = ()
    is_numbered: bool = False


_OF_DOMAIN = {
    8: ("Visit", "visit_occurrence"),
    10: ("Procedure", "procedure_occurrence"),
    13: ("Drug", "drug_exposure"),
    17: ("Device", "device_exposure"),
    19: ("Condition", "condition_occurrence"),
    21: ("Measurement", "measurement"),
    27: ("Observation", "observation"),
    36: ("Specimen", "specimen"),
}
"""Domain's concept -> its name, as COST has it, and the table whose rows are meant."""

_PERSON_DOMAIN = 56
_PLAN = "payer_plan_period_id"
_ANY = (*(table for _, table in _OF_DOMAIN.values()), "visit_detail", "note", "episode")
"""Whose rows may be meant where the domain is another: a number of one row too many is erased rather than one too few."""


def _cdm_links() -> tuple[RowLink, ...]:
    links = [
        RowLink(table="note_nlp", to="note", own=("note_id",), its=("note_id",)),
        RowLink(table="episode_event", to="episode", own=("episode_id",), its=("episode_id",)),
        RowLink(table="cost", to="payer_plan_period", own=(_PLAN,), its=(_PLAN,)),
        RowLink(table="cohort", to="", own=("subject_id",)),
        RowLink(
            table="location",
            to="person",
            own=("location_id",),
            its=("location_id",),
            kept_by=("person", "care_site"),
        ),
    ]
    names = ", ".join(f"'{name.lower()}'" for name, _ in _OF_DOMAIN.values())
    numbers = ", ".join(map(str, (*_OF_DOMAIN, _PERSON_DOMAIN)))
    ends = [("cost", "cost_event_id", f"coalesce(lower(cost_domain_id), '') NOT IN ({names})")]
    for side in (1, 2):
        domain, fact = f"domain_concept_id_{side}", f"fact_id_{side}"
        ends.append(("fact_relationship", fact, f"coalesce({domain}, 0) NOT IN ({numbers})"))
        unknown_or_person = f"coalesce({domain}, 0) NOT IN ({', '.join(map(str, _OF_DOMAIN))})"
        links.append(RowLink(table="fact_relationship", to="", own=(fact,), when=unknown_or_person))
    for table, own, is_open in ends:
        for number, (name, to) in _OF_DOMAIN.items():
            domain = (
                f"lower(cost_domain_id) = '{name.lower()}'"
                if table == "cost"
                else f"domain_concept_id_{own[-1]} = {number}"
            )
            links.append(RowLink(table=table, to=to, own=(own,), its=(f"{to}_id",), when=f"({domain} OR {is_open})"))
        links += [
            RowLink(table=table, to=to, own=(own,), its=(f"{to}_id",), when=is_open)
            for to in _ANY
            if to not in dict(_OF_DOMAIN.values()).values()
        ]
    return tuple(replace(link, is_numbered=bool(link.to)) for link in links)


CDM_LINKS = _cdm_links()
"""How the tables of the CDM that have no person belong to persons, by the CDM's own keys.

COST and FACT_RELATIONSHIP name the domain of the row they refer to. Where that is none that is known here, they may refer to
any table, so that a row of an erased person with the same number takes them along.
"""


CDM_NUMBERS = frozenset(field.name for table in CDM.values() for field in table.fields if field.dtype == "int64") - {
    "person_id"
}
"""Columns with the numbers by which rows of a CDM are known and refer to others; that of a person does not land."""


def define_row_numbers(connection: duckdb.DuckDBPyConnection, salt: str) -> None:
    """Define ``number_of_row``, an SQL macro of the text of a CDM's number of a row: what lands in its place, a keyed digest of 52 bits."""
    connection.execute("SET VARIABLE number_salt = ?", [salt])
    digest = row_key_sql(f"getvariable('number_salt') || {literal(SEPARATOR)} || given")
    connection.execute(f"CREATE OR REPLACE MACRO number_of_row(given) AS {digest}")


BELONGING = "row_belonging"
"""Column of a landed table: the digest of what a row belongs to; of a CDM a list of them."""
_NAMED = "row_named"


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkColumns:
    """Columns of a landed table that hold digests of the table's links; none in what earlier versions landed.

    Args:
        named: columns of the table by which others refer to it -> the column with the digest; none of a CDM, whose numbers tell.
        belonging: whether its rows belong to others'.
        is_list: to several, so that the column is a list.
    """

    named: Mapping[tuple[str, ...], str]
    belonging: bool
    is_list: bool = False

    def __bool__(self) -> bool:
        """Whether the table has links."""
        return bool(self.named) or self.belonging

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in order."""
        return (*self.named.values(), *([BELONGING] if self.belonging else ()))

    def are_in(self, columns: Collection[str]) -> bool:
        """Whether a landed table has them."""
        return bool(self) and set(self.names) <= set(columns)


def link_columns(source: Source, table: str) -> LinkColumns:
    """Of a table of a source as it is declared."""
    links = links_of(source)
    if source.format is Format.OMOP:
        # What others may keep is compared with their numbers as they landed.
        has_owners = any(link.table == table and not link.kept_by for link in links)
        return LinkColumns(named={}, belonging=has_owners, is_list=True)
    return LinkColumns(
        named={its: f"{_NAMED}_{place}" for place, its in enumerate(_called_by(links, table))},
        belonging=any(link.table == table for link in links),
    )


def is_link_column(column: str) -> bool:
    """Whether a column of a landed table is one of these."""
    return column == BELONGING or column.startswith(f"{_NAMED}_")


def has_linked_rows(source: Source) -> bool:
    """Whether rows of a source may belong to patients through others: by links, or by what FHIR resources refer to."""
    return source.format is Format.FHIR or bool(links_of(source))


def links_of(source: Source) -> tuple[RowLink, ...]:
    """The links between a source's tables: those it declares, or the common data model's own."""
    if source.format is Format.OMOP:
        return CDM_LINKS
    return tuple(
        RowLink(
            table=table.name,
            to=table.belongs_to.table,
            own=tuple(own for own, _ in table.belongs_to.by),
            its=tuple(its for _, its in table.belongs_to.by),
        )
        for table in source.tables.values()
        if table.belongs_to
    )


def in_order(links: Sequence[RowLink]) -> list[str]:
    """The tables of some links, each behind those to which its rows belong."""
    ordered: list[str] = []

    def place(table: str) -> None:
        for link in links:
            if link.table == table and link.to:
                place(link.to)
        if table not in ordered:
            ordered.append(table)

    for link in links:
        place(link.table)
    return ordered


def owners_of(links: Sequence[RowLink], tables: Collection[str]) -> frozenset[str]:
    """The tables that say whose the rows of some tables are, through however many links."""
    owners = frozenset(link.to for link in links if link.table in tables and link.to)
    return owners | owners_of(links, owners) if owners else owners


def text_of(table: str, columns: Sequence[str], values: Sequence[str]) -> str:
    """What a row is called by, of the values as text."""
    return SEPARATOR.join(["row", table, *columns, *values])


def _called_by(links: Sequence[RowLink], table: str) -> Iterable[tuple[str, ...]]:
    """The columns of a table by which others refer to it, in the one order in which they are numbered."""
    return dict.fromkeys(link.its for link in links if link.to == table)


def texts_of_names(links: Sequence[RowLink], table: str) -> str:
    """SQL, a list: what a row of *table* is called by; with NULL where it lacks a value."""
    is_numbered = any(link.is_numbered for link in links)
    return _list(text for its in _called_by(links, table) for text in _texts(table, its, its, is_numbered))


def texts_of_links(links: Sequence[RowLink], table: str) -> str:
    """SQL, a list: what a row of *table* belongs to; with NULL where a link is not there."""
    return _list(
        f"CASE WHEN {link.when} THEN {text} END" if link.when else text
        for link in links
        if link.table == table and link.to
        for text in _texts(link.to, link.its, link.own, link.is_numbered)
    )


def digests_of_owners(links: Sequence[RowLink], table: str, source: str) -> str:
    """SQL, a list: the digests of what a row of *table* belongs to, rows or patients; with NULL where a link is not there.

    The connection has the macros ``pseudonym_of`` and ``tombstone_of`` of landing.
    """
    prefix = literal(source + SEPARATOR)
    of_patients = _list(
        f"CASE WHEN {link.when or 'true'} THEN pseudonym_of({prefix} || {identifier(link.own[0])}::VARCHAR) END"
        for link in links
        if link.table == table and not link.to
    )
    return digests_sql(f"{texts_of_links(links, table)} || {of_patients}")


def digests_sql(texts: str) -> str:
    """SQL of the digests of a list of texts."""
    return f"list_transform({texts}, lambda text: tombstone_of(text))"


def _list(parts: Iterable[str]) -> str:
    return f"[{', '.join(parts)}]::VARCHAR[]"


def _texts(table: str, its: Sequence[str], columns: Sequence[str], is_numbered: bool) -> list[str]:
    """SQL of the texts by which a row is known: that of its values, and where they are a CDM's numbers that of what lands of them."""
    forms = ("{}", "number_of_row({})::VARCHAR") if is_numbered else ("{}",)
    # || gives NULL where any part is NULL: a row without a value is called by nothing, and belongs to nothing.
    between = f" || {literal(SEPARATOR)} || "
    values = [between.join(form.format(f"{identifier(column)}::VARCHAR") for column in columns) for form in forms]
    return [f"{literal(text_of(table, its, []) + SEPARATOR)} || {value}" for value in values]
