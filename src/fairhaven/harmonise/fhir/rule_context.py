"""What the rules of several resource types share: codes, moments, references, statuses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import ibis
import ibis.expr.types as ir

from fairhaven.harmonise.generic_rows import CODE_ALTERNATES, FREE_TEXT_COLUMNS, KINDS, GenericRows
from fairhaven.identifiers.withheld import MARK

Columns = Mapping[str, ir.Value]
Maker = Callable[["RuleContext"], list[GenericRows]]

_CARRIED = ("row_key", "row_extract", "row_line", "patient_ref", "visit_ref", "visit_detail_ref", "provider_ref")
_LARGEST = 1e15
_CLASSIFICATIONS = ("ICD10", "OPCS4")
_CATEGORY = 3
"""Characters of a category."""
CODES = ("code", "vocabulary_id", "code_2", "vocabulary_id_2", "code_3", "vocabulary_id_3", "code_text")


@dataclass(frozen=True, kw_only=True)
class RuleContext:
    """What resources refer to.

    Args:
        parts: ``part, whole``: encounters that are part of another one, and the outermost one; None for none.
        aliases: ``alias, id_of_alias``: the practitioner that a PractitionerRole or an identifier stands for; None for none.
        tables: all landed tables.
    """

    parts: ir.Table | None
    aliases: ir.Table | None
    tables: Mapping[str, ir.Table]

    @classmethod
    def of(cls, tables: Mapping[str, ir.Table]) -> "RuleContext":
        """The context of a source's landed tables."""
        aliases = (_roles(tables.get("practitioner_role")), _named(tables.get("practitioner")))
        found = [table for table in aliases if table is not None]
        return cls(parts=_parts(tables.get("encounter")), aliases=ibis.union(*found) if found else None, tables=tables)

    def resolved(self, table: ir.Table, column: str, target: str) -> ir.Table:
        """The table with references to *target* by identifier as references by id."""
        return _by_id(table, column, _named(self.tables.get(target)), column)

    def looked_up(self, table: ir.Table, column: str, target: str, names: Iterable[str]) -> ir.Table:
        """The table with ``known_<name>`` for each of *names*: what the *target* says that *column* refers to, else NULL.

        Where *column* refers to none that is there (it is in quarantine, or was not given), ``refers_to_nothing`` is true.
        """
        found = self.tables.get(target)
        if found is None:
            unknown = {f"known_{name}": ibis.null("string") for name in names}
            return table.mutate(**unknown, refers_to_nothing=table[column].notnull())
        newest = {f"known_{name}": found[name].argmax(found["row_key"]) for name in names}
        known = found.group_by(found["id"].name(f"{column}_known")).agg(**newest)
        joined = table.left_join(known, table[column] == known[f"{column}_known"])
        return joined.mutate(refers_to_nothing=joined[column].notnull() & joined[f"{column}_known"].isnull())

    def timed(self, table: ir.Table) -> ir.Table:
        """The table with the moments that its specimen and its report give: ``collected``, ``received``, ``reported_effective``,
        ``reported_issued``."""
        timed = _joined(table, _sampled(self.tables.get("specimen")), "specimen_id", ("collected", "received"))
        reports = _reported(self.tables.get("diagnostic_report"))
        return _joined(timed, reports, "id", ("reported_effective", "reported_issued"))

    def placed(self, table: ir.Table) -> ir.Table:
        """The table with ``visit_ref``, ``visit_detail_ref``, ``provider_ref`` and ``encounter_start``, as far as it refers to such."""
        placed = self.in_visits(table)
        if "encounter_id" not in table.columns:
            return placed
        return _joined(placed, _started(self.tables.get("encounter")), "encounter_id", ("encounter_start",))

    def in_visits(self, table: ir.Table) -> ir.Table:
        """The table with ``visit_ref``, ``visit_detail_ref`` and ``provider_ref``, as far as it refers to such."""
        placed, given = table, {}
        if "encounter_id" in table.columns:
            given["visit_ref"] = table["encounter_id"]
            if self.parts is not None:
                placed = placed.left_join(self.parts, table["encounter_id"] == self.parts["part"])
                given["visit_ref"] = ibis.coalesce(placed["whole"], placed["encounter_id"])
                given["visit_detail_ref"] = placed["part"]
        if given:
            placed = placed.mutate(**given)
        if "practitioner_id" in table.columns:
            placed = _by_id(placed, "practitioner_id", self.aliases, "provider_ref")
        return placed


def _joined(table: ir.Table, found: ir.Table | None, column: str, names: Iterable[str]) -> ir.Table:
    """The table with the moments of what *column* names; NULL where that is not there, or is another patient's."""
    if found is None:
        return table.mutate(**{name: ibis.null("timestamp(6)") for name in names})
    # Renamed, as a table is joined with several such.
    found = found.rename(**{f"{column}_{name}": name for name in (*names, *_OWNERS)})
    joined = table.left_join(found, table[column] == found[f"{column}_timed"])
    others = [joined[f"{column}_{name}"] != joined["patient_ref"] for name in _OWNERS]
    # Whose it is may not be said.
    is_others = (others[0] | others[1]).fill_null(False)
    moments = {name: is_others.ifelse(ibis.null("timestamp(6)"), joined[f"{column}_{name}"]) for name in names}
    return joined.mutate(**moments)


_OWNERS = ("first_owner", "last_owner")
REFUSED_ENCOUNTER = ("planned", "cancelled", "entered-in-error")
_WITHDRAWN_SPECIMEN = ("entered-in-error",)
_WITHDRAWN_REPORT = ("entered-in-error", "cancelled")


def _started(encounters: ir.Table | None) -> ir.Table | None:
    """When encounters began that took place."""
    if encounters is None:
        return None
    known = encounters.filter(encounters["start"].notnull() & has_none_of(encounters["status"], REFUSED_ENCOUNTER))
    return known.group_by(known["id"].name("encounter_id_timed")).agg(
        first_owner=known["patient_ref"].min(),
        last_owner=known["patient_ref"].max(),
        encounter_start=known["start"].cast("timestamp(6)").min(),
    )


def _sampled(specimens: ir.Table | None) -> ir.Table | None:
    if specimens is None:
        return None
    specimens = specimens.filter(has_none_of(specimens["status"], _WITHDRAWN_SPECIMEN))
    return specimens.group_by(specimens["id"].name("specimen_id_timed")).agg(
        first_owner=specimens["patient_ref"].min(),
        last_owner=specimens["patient_ref"].max(),
        collected=specimens["collected_start"].cast("timestamp(6)").min(),
        received=specimens["received"].cast("timestamp(6)").min(),
    )


def _reported(reports: ir.Table | None) -> ir.Table | None:
    if reports is None:
        return None
    known = reports.filter(reports["result_ids"].notnull() & has_none_of(reports["status"], _WITHDRAWN_REPORT))
    each = known.select(
        id_timed=known["result_ids"].split(" ").unnest(),
        owner=known["patient_ref"],
        effective=known["effective_start"].cast("timestamp(6)"),
        issued=known["issued"].cast("timestamp(6)"),
    )
    return each.group_by("id_timed").agg(
        first_owner=each["owner"].min(),
        last_owner=each["owner"].max(),
        reported_effective=each["effective"].min(),
        reported_issued=each["issued"].min(),
    )


def _by_id(table: ir.Table, column: str, aliases: ir.Table | None, name: str) -> ir.Table:
    """With *name*: the id that the reference in *column* stands for, where it is an alias; else the reference."""
    if aliases is None:
        return table.mutate(**{name: table[column]})
    # What is compared stays beside the rows: rules name the columns that they take, and dropping costs a step.
    known = aliases.select(**{f"{column}_alias": "alias", f"{column}_by_alias": "id_of_alias"})
    joined = table.left_join(known, table[column] == known[f"{column}_alias"])
    return joined.mutate(**{name: ibis.coalesce(joined[f"{column}_by_alias"], joined[column])})


def _parts(encounter: ir.Table | None) -> ir.Table | None:
    """Encounters whose ``partOf`` names an encounter that is there; two steps outwards at most."""
    if encounter is None:
        return None
    every = encounter.select(id=encounter["id"]).distinct()
    inner = encounter.filter(encounter["part_of_id"].notnull())
    inner = inner.select(part=inner["id"], whole=inner["part_of_id"]).distinct()
    inner = inner.semi_join(every, [("whole", "id")])
    outer = inner.select(middle=inner["part"], outermost=inner["whole"])
    joined = inner.left_join(outer, inner["whole"] == outer["middle"])
    return joined.select(part=joined["part"], whole=ibis.coalesce(joined["outermost"], joined["whole"]))


def _roles(roles: ir.Table | None) -> ir.Table | None:
    if roles is None:
        return None
    known = roles.filter(roles["practitioner_id"].notnull())
    return known.group_by(alias=ibis.literal("PractitionerRole/") + known["id"]).agg(
        id_of_alias=known["practitioner_id"].min()
    )


def _named(target: ir.Table | None) -> ir.Table | None:
    """``alias, id_of_alias``: each identifier of a resource (its digest), and the resource's id."""
    if target is None:
        return None
    known = target.filter(target["identifiers"].notnull())
    each = known.select(id_of_alias=known["id"], alias=known["identifiers"].split(" ").unnest())
    return each.group_by("alias").agg(id_of_alias=each["id_of_alias"].min())


def rows(
    kind: str,
    rule: str,
    table: str,
    source: ir.Table,
    given: Columns,
    *,
    takes: ir.BooleanValue | None,
    target: str = "",
) -> GenericRows:
    """GenericRows of one rule; lineage and what was placed are carried over.

    Args:
        source: rows that the rule takes.
        given: columns of the kind.
        takes: over the landed table.
    """
    carried = {name: source[name] for name in _CARRIED if name in source.columns and name in KINDS[kind]}
    return GenericRows(
        kind=kind,
        rule=rule,
        table=table,
        file=f"fhir/{table}",
        rows=source.select(**carried | dict(given)),
        target=target,
        takes=takes,
        # What is free text in FHIR has not landed (`intake.free_text`); the rest is worked out from typed elements.
        coded=FREE_TEXT_COLUMNS,
    )


def resource_rule(
    table: str,
    *,
    takes: Callable[[ir.Table], ir.BooleanValue] | None = None,
    counted: Callable[[ir.Table], ir.BooleanValue] | None = None,
    kind: str = "event",
    rule: str = "",
    target: str = "",
    place: Callable[["RuleContext", ir.Table], ir.Table] = RuleContext.placed,
) -> Callable[[Callable[[ir.Table], Columns]], Maker]:
    """A function from placed resources to the columns of a generic row, as the rule of one resource type.

    Args:
        table: the landed table; where a source has none there are no rows.
        takes: of the landed table, which resources become rows; None: all.
        counted: which of them count as taken, where these are more.
        rule: the rule's name; the table's, in words, where none is given.
        place: gives the resources what they refer to.
    """

    def decorate(columns: Callable[[ir.Table], Columns]) -> Maker:
        def make(context: RuleContext) -> list[GenericRows]:
            source = context.tables.get(table)
            if source is None:
                return []
            placed = place(context, source.filter(takes(source)) if takes else source)
            name = rule or table.replace("_", " ")
            test = counted or takes
            taken = test(source) if test else None
            return [rows(kind, name, table, placed, columns(placed), takes=taken, target=target)]

        return make

    return decorate


def codes(table: ir.Table, *, before: str = "") -> dict[str, ir.Value]:
    """The code columns of a concept that the view calls *before*.

    Where a place is left, the category of a classification's code is tried behind it, as `clean` of a mapping file has it.
    """
    found = {name: table[f"{before}{name}"] for name in CODES if f"{before}{name}" in table.columns}
    for (code, vocabulary), (next_code, next_vocabulary) in pairwise(CODE_ALTERNATES):
        if next_code in found:
            plain = found[code].strip().upper().replace(".", "")
            is_wider = found[vocabulary].isin(_CLASSIFICATIONS) & (plain.length() > _CATEGORY)
            is_taken = is_wider.fill_null(False) & found[next_code].isnull()
            found[next_code] = is_taken.ifelse(plain.substr(0, _CATEGORY), found[next_code])
            found[next_vocabulary] = is_taken.ifelse(found[vocabulary], found[next_vocabulary])
    return found


_YEAR, _MONTH = len("1970"), len("1970-05")


def first_day(last: ir.DateValue, length: ir.IntegerValue) -> ir.DateValue:
    """The first day of a date that landed with its last, of which the text was so long."""
    # Not `truncate`, of which Sail makes a moment of nanoseconds.
    before = ibis.cases((length == _YEAR, last.day_of_year()), (length == _MONTH, last.day()), else_=1) - 1
    return (last - before.as_interval("D")).cast("date")


def period(start: ir.Value, end: ir.Value | None = None, length: ir.Value | None = None) -> dict[str, ir.Value]:
    """Start and end of moments; their dates follow from them.

    Args:
        length: of the end's text, where the end has happened; a planned one is what it says.
    """
    found = {"start_date": start.cast("date"), "start_datetime": start.cast("timestamp(6)")}
    if end is not None:
        found |= {"end_date": end.cast("date"), "end_datetime": end.cast("timestamp(6)")}
        if length is not None:
            found["end_from"] = first_day(found["end_date"], length)
    return found


def dated(placed: ir.Table, *names: str) -> ir.Value:
    """The first of these moments that is there, else when the encounter began: that of an event which nothing else dates."""
    return ibis.coalesce(*(placed[name].cast("timestamp(6)") for name in (*names, "encounter_start")))


def has_none_of(value: ir.StringValue, refused: Sequence[str]) -> ir.BooleanValue:
    """True where the value is none of these; an absent one is none, and one that was withheld may be any."""
    return ~(value.isin(list(refused)) | value.startswith(MARK)).fill_null(False)


def has_category(table: ir.Table, category: str) -> ir.BooleanValue:
    """True where one of the category's codes is this one."""
    return (ibis.literal(" ") + table["category"].fill_null("") + " ").contains(f" {category} ")


def chosen(value: ir.StringValue, choices: Mapping[str, int] | Mapping[str, str]) -> ir.Value:
    """The choice for a value, NULL for none."""
    dtype = "int32" if all(isinstance(choice, int) for choice in choices.values()) else "string"
    return value.cases(*choices.items(), else_=ibis.null(dtype)).cast(dtype)


def no_concept(value: ir.StringValue) -> ir.IntegerValue:
    """0 where something is said that no concept is looked up for; NULL where nothing is said."""
    return value.notnull().ifelse(0, ibis.null("int32")).cast("int32")


def plain_number(value: ir.FloatingValue) -> ir.StringValue:
    """A number as text, whole ones without decimals."""
    is_whole = (value == value.floor()) & (value.abs() < _LARGEST)
    whole = is_whole.ifelse(value, ibis.null("float64")).cast("int64").cast("string")
    return ibis.coalesce(whole, value.cast("string"))


def joined_words(words: Iterable[ir.StringValue]) -> ir.StringValue:
    """Words with blanks between them; NULL ones are left out, NULL where none is there."""
    text: ir.StringValue = ibis.literal("")
    for word in words:
        text = text + (ibis.literal(" ") + word).fill_null("")
    return text.strip().nullif("")
