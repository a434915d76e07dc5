"""All sources of a hub to one CDM: rules are gathered, codes resolved once, rows placed and parted by table.

The order of the steps is that of references. Codes come first, because which table an event goes to is the domain of its
concept. Then persons, whom every row needs and without whom it is left out; care sites, locations and providers, which
persons and visits name; visits and their details, which events name; events; and what is worked out from events and
visits: observation periods and eras (OMOP CDM 5.4).

Invariants: what became of every generic row is counted (`RuleOutcome`); an identifier is made of the row's key, its rule
and its table, and where two meet one gives way (`row_ids`), so that the same rows have the same identifiers in every
release; references are looked up, and one that names no row is left empty.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.cdm_columns import CDM_COLUMNS
from fairhaven.harmonise.code_mapping import (
    VocabularyTables,
    distinct_codes,
    further_codes,
    resolve_codes,
    with_concepts,
)
from fairhaven.harmonise.emptied_values import (
    ENDS,
    STAFF,
    UNSAID_CODE,
    UNSAID_GENDER,
    UNSAID_PAYER,
    Emptied,
    count_emptied,
    with_marks,
)
from fairhaven.harmonise.eras import condition_era, drug_era, ingredients
from fairhaven.harmonise.event_tables import event_tables, fit_to_cdm
from fairhaven.harmonise.events import FURTHER_CODES, REFERENCES, EventContext, events, place_rows
from fairhaven.harmonise.generic_rows import EVENT_TABLES, LINEAGE, GenericRows, column_or_null
from fairhaven.harmonise.health_system import (
    LOCATED,
    SITED,
    Places,
    care_site_table,
    districts,
    first_of_each,
    location_table,
    placed_care_sites,
    placed_providers,
    provider_table,
    referred,
    staffed,
)
from fairhaven.harmonise.mapping_rows import mapped_rows
from fairhaven.harmonise.model import Harmonised, SourceTables
from fairhaven.harmonise.notes_and_payers import (
    PAYER_END,
    HubFacts,
    cdm_source,
    note_table,
    payer_periods,
    payer_plan_period_table,
)
from fairhaven.harmonise.numbered_rules import NumberedRows, number_rules, rows_of_sources
from fairhaven.harmonise.observation_periods import begun_after_death, observation_periods
from fairhaven.harmonise.partner_concepts import partner_concepts
from fairhaven.harmonise.people import People, deaths, of_persons, people
from fairhaven.harmonise.row_ids import row_id, unique_ids
from fairhaven.harmonise.row_outcomes import (
    AFTER_DEATH,
    ENDS_FIRST,
    NO_VISIT,
    count_as,
    count_outcomes,
    exclusion_reason,
    unmapped,
)
from fairhaven.harmonise.visits import (
    OF_DETAILS,
    OF_VISITS,
    of_a_visit,
    placed_details,
    placed_visits,
    visit_detail,
    visit_occurrence,
    visits,
)
from fairhaven.omop.cdm import VOCABULARY_TABLES
from fairhaven.omop.concepts import RACE_OBSERVED
from fairhaven.release.facts import EmptiedValues, MappingRule, RuleOutcome

_OF_PERSON_ROWS = (*STAFF, Emptied(column="location_ref", kept="place_id"))
_WITH_END = tuple(table for table in EVENT_TABLES if "end_date" in CDM_COLUMNS[table])
_WITH_CODES = ("event", "visit_occurrence", "visit_detail", "death", "provider", "note")


@dataclass(kw_only=True)
class _Assembly:
    """A CDM in the making: what it is made from, and what has been made so far."""

    engine: Engine
    rules: list[NumberedRows]
    vocabulary: VocabularyTables
    local: pa.Table | None
    as_of: dt.date
    resolved: ir.Table | None = None
    tables: dict[str, ir.Table] = field(default_factory=dict)
    derived: list[MappingRule] = field(default_factory=list)
    left_out: list[RuleOutcome] = field(default_factory=list)
    emptied: list[EmptiedValues] = field(default_factory=list)
    kept: dict[str, ir.Table] = field(default_factory=dict)
    _gathered: dict[str, ir.Table | None] = field(default_factory=dict)

    def rows(self, kind: str) -> ir.Table | None:
        """Gathered rows of a kind, kept: several steps read them, and writing the query of all rules costs seconds."""
        if kind not in self._gathered:
            # Source by source: the rules of a FHIR source join some dozens of tables, and those of several at once need
            # more memory than the engine has, however few their rows.
            rows = rows_of_sources(self.rules, kind)
            self._gathered[kind] = self.engine.keep(*rows) if rows else None
        return self._gathered[kind]

    def coded(self, kind: str) -> ir.Table | None:
        """Gathered rows of a kind with what their codes lead to."""
        rows = self.rows(kind)
        return None if rows is None else with_concepts(rows, self.resolved)

    def add(self, name: str, rows: ir.Table, order: Sequence[str]) -> ir.Table:
        """Add a table of the CDM whose rows have numbers that may meet; of two that do, *order* says which keeps it. Its rows, kept."""
        kept = self.engine.keep(rows)
        self.fit(name, unique_ids(self.engine, kept, f"{name}_id", order))
        return kept

    def fit(self, name: str, rows: ir.Table) -> None:
        """Add a table of the CDM whose rows have numbers, if any, that are all different."""
        self.tables[name] = fit_to_cdm(rows, name)

    def leave_out(self, rows: ir.Table, outcome: str) -> None:
        """Count rows that end here."""
        self.left_out += count_as(self.engine, self.rules, rows, outcome)

    def look_up(self, rows: ir.Table, table: str, checks: Sequence[Emptied]) -> ir.Table:
        """Rows of a CDM table with what they refer to, kept, and counted what refers to nothing."""
        kept = self.kept[table] = self.engine.keep(rows)
        self.count_emptied(kept, ibis.literal(table), checks)
        return kept

    def count_emptied(self, rows: ir.Table, table: ir.StringValue, checks: Sequence[Emptied]) -> None:
        """Count what was emptied in kept rows that are in the release."""
        self.emptied += count_emptied(self.engine, self.rules, rows, table, checks)

    def derive(self, name: str, table: str, target: str) -> int:
        """Number of a rule that makes rows from CDM rows."""
        number = len(self.rules) + len(self.derived) + 1
        self.derived.append(
            MappingRule(number=number, name=name, source="", table=table, file="harmonise", target=target)
        )
        return number


def harmonise(
    engine: Engine,
    sources: Sequence[SourceTables],
    *,
    persons: ir.Table,
    vocabulary: VocabularyTables,
    local: pa.Table | None = None,
    hub: HubFacts,
    as_of: dt.date,
    standards: Mapping[str, Sequence[GenericRows]] | None = None,
) -> Harmonised:
    """One CDM from the current rows of all sources.

    Args:
        sources: in the order of their names.
        persons: index of persons: ``source, patient_ref, person_id``.
        local: local code maps (`local_maps.local_maps`).
        as_of: the day up to which the release speaks; nothing in it begins later.
        standards: by source, rows of rules that come with a format (FHIR); mapping files of the source add to them.

    Returns:
        tables as expressions over kept rows; writing them is the caller's.

    Raises:
        Invalid: rules that read tables or columns that a source does not have; all of them.
    """
    found = [
        (
            source,
            [*(standards or {}).get(source.name, ()), *mapped_rows(source.mapping, source.tables, keys=source.keys)],
        )
        for source in sources
    ]
    assembly = _Assembly(
        engine=engine,
        rules=number_rules(found),
        vocabulary=vocabulary,
        local=local,
        as_of=as_of,
    )
    _resolve(assembly)
    found_people = _people(assembly, persons, hub)
    places = _places(assembly, found_people)
    found_visits, details = _visits(assembly, found_people, places)
    context = EventContext(people=found_people, visits=found_visits, details=details, places=places)
    kept_events = _events(assembly, context)
    _notes(assembly, context)
    _payers(assembly, found_people)
    _deaths(assembly, found_people)
    _observation_periods(assembly, kept_events, found_visits, found_people)
    _eras(assembly)
    assembly.fit("cdm_source", cdm_source(engine, hub, as_of=as_of, vocabulary_version=vocabulary.version))
    rules = (*(rule.rule for rule in assembly.rules), *assembly.derived)
    tables = {source.name: _of_patients(source) for source in sources}
    counts = count_outcomes(
        engine,
        assembly.rules,
        assembly.rows,
        kept_events,
        found_people.who,
        tables,
        kept=assembly.kept,
        left_out=assembly.left_out,
        as_of=as_of,
    )
    missing = None if kept_events is None else unmapped(engine, kept_events)
    coded = [rows for kind in _WITH_CODES if (rows := assembly.rows(kind)) is not None]
    return Harmonised(
        tables=assembly.tables,
        rules=rules,
        counts=counts,
        emptied=tuple(assembly.emptied),
        partner_concepts=partner_concepts(engine, assembly.rules, coded, vocabulary.concept),
        unmapped=missing,
    )


def _of_patients(source: SourceTables) -> Mapping[str, ir.Table]:
    """A source's tables without the vocabulary that a partner's CDM brings along, and what it says of itself."""
    if source.format != "omop":
        return source.tables
    return {name: table for name, table in source.tables.items() if name not in (*VOCABULARY_TABLES, "cdm_source")}


def _resolve(assembly: _Assembly) -> None:
    tables = [rows for kind in _WITH_CODES if (rows := assembly.rows(kind)) is not None]
    events = assembly.rows("event")
    if events is not None:
        tables += [further_codes(events, *named) for named in FURTHER_CODES if named[0] in events.columns]
    codes = distinct_codes(tables)
    if codes is not None:
        assembly.resolved = resolve_codes(assembly.engine, codes, assembly.vocabulary, assembly.local)


def _people(assembly: _Assembly, index: ir.Table, hub: HubFacts) -> People:
    rows = assembly.rows("person")
    if rows is None:
        rows = index.filter(ibis.literal(False)).select(
            "source",
            "patient_ref",
            rule=ibis.null("int32"),
            **{name: ibis.null(kind) for name, kind in LINEAGE.items()},
        )
    return people(assembly.engine, rows, index, birth_date=hub.birth_date)


def _places(assembly: _Assembly, found: People) -> Places:
    engine, providers = assembly.engine, assembly.coded("provider")
    places = Places(
        locations=first_of_each(engine, assembly.rows("location"), "location"),
        care_sites=first_of_each(engine, assembly.rows("care_site"), "care_site"),
        providers=first_of_each(
            engine, None if providers is None else providers.filter(providers["ordinal"] == 0), "provider"
        ),
        districts=districts(engine, found.persons),
    )
    if (locations := location_table(places)) is not None:
        assembly.fit("location", locations)
    if places.locations is not None:
        assembly.kept["location"] = places.locations
    if places.care_sites is not None:
        sited = assembly.look_up(placed_care_sites(places.care_sites, places), "care_site", [LOCATED])
        assembly.fit("care_site", care_site_table(sited))
    if places.providers is not None:
        staff = assembly.look_up(placed_providers(places.providers, places), "provider", [SITED, UNSAID_GENDER])
        assembly.fit("provider", provider_table(staff))
    persons = assembly.look_up(_placed_persons(found.persons, places), "person", _OF_PERSON_ROWS)
    assembly.fit("person", persons.rename(row_rule="rule"))
    return places


def _placed_persons(persons: ir.Table, places: Places) -> ir.Table:
    by_district = None if places.districts is None else places.districts.rename(ref="district")
    rows = referred(persons.rename(rule="row_rule"), by_district, "postcode_district", "district_id", within=())
    rows = referred(rows, places.locations, "location_ref", "place_id")
    rows = staffed(rows.mutate(location_id=ibis.coalesce(rows["place_id"], rows["district_id"])), places)
    return with_marks(rows, _OF_PERSON_ROWS)


def _visits(assembly: _Assembly, found: People, places: Places) -> tuple[ir.Table | None, ir.Table | None]:
    occurrences, details = (
        visits(assembly.engine, assembly.coded(kind), found.who, kind, assembly.as_of)
        for kind in ("visit_occurrence", "visit_detail")
    )
    if occurrences is None:
        return None, None
    placed = assembly.look_up(placed_visits(occurrences, places), "visit_occurrence", (*OF_VISITS, *ENDS))
    assembly.fit("visit_occurrence", visit_occurrence(placed))
    if details is not None:
        # Events and details may name only details that are in the CDM.
        details, of_none = of_a_visit(details, occurrences)
        assembly.leave_out(of_none, NO_VISIT)
        details = assembly.engine.keep(details)
        placed = placed_details(details, occurrences, places)
        placed = assembly.look_up(placed, "visit_detail", (*OF_DETAILS, *ENDS))
        assembly.fit("visit_detail", visit_detail(placed))
    return occurrences, details


def _events(assembly: _Assembly, context: EventContext) -> ir.Table | None:
    rows = assembly.rows("event")
    if rows is None:
        return None
    found = events(assembly.engine, rows, assembly.resolved, context, assembly.as_of)
    assembly.tables |= event_tables(assembly.engine, found, assembly.vocabulary)
    in_release = found.filter(found["outcome"].isin(EVENT_TABLES) & (found["ordinal"] == 0))
    assembly.count_emptied(in_release, in_release["outcome"], (*REFERENCES, UNSAID_CODE, *ENDS))
    return found


def _notes(assembly: _Assembly, context: EventContext) -> None:
    rows = assembly.coded("note")
    if rows is None:
        return
    start = ibis.coalesce(column_or_null(rows, "date", "note"), column_or_null(rows, "datetime", "note").cast("date"))
    found = place_rows(rows.filter(rows["ordinal"] == 0).mutate(start=start), context)
    found = assembly.look_up(found.filter(exclusion_reason(found, assembly.as_of).isnull()), "note", REFERENCES)
    assembly.add("note", note_table(found), ("row_rule", "row_key"))


def _payers(assembly: _Assembly, found: People) -> None:
    rows = assembly.rows("payer_plan_period")
    if rows is None:
        return
    known = payer_periods(_plausible(rows, found, assembly.as_of))
    known = assembly.look_up(known, "payer_plan_period", [PAYER_END, UNSAID_PAYER])
    assembly.add("payer_plan_period", payer_plan_period_table(known), ("row_rule", "row_key"))


def _plausible(rows: ir.Table, found: People, as_of: dt.date) -> ir.Table:
    """Rows with a ``start_date`` of persons who are in PERSON, without those that cannot be in the CDM."""
    known = of_persons(rows, found.who)
    known = known.mutate(start=known["start_date"])
    return known.filter(exclusion_reason(known, as_of).isnull())


def _deaths(assembly: _Assembly, found: People) -> None:
    rows = assembly.coded("death")
    if rows is not None:
        kept = deaths(assembly.engine, rows, found.who, assembly.as_of)
        assembly.kept["death"] = kept.rename(rule="row_rule")
        assembly.fit("death", kept)


def _observation_periods(
    assembly: _Assembly, kept_events: ir.Table | None, found_visits: ir.Table | None, found: People
) -> None:
    recorded = _recorded_spans(kept_events, found_visits)
    registered = _registrations(assembly, found)
    if recorded is None and registered is None:
        return
    rule = assembly.derive("first to last record", "", "observation_period")
    dead = assembly.tables.get("death")
    if registered is not None and dead is not None:
        assembly.leave_out(begun_after_death(registered, dead).rename(rule="row_rule"), AFTER_DEATH)
    periods = observation_periods(registered, recorded, dead, as_of=assembly.as_of, rule=rule)
    kept = assembly.add("observation_period", periods, ("person_id", "observation_period_start_date"))
    assembly.kept["observation_period"] = kept.rename(rule="row_rule")


def _registrations(assembly: _Assembly, found: People) -> ir.Table | None:
    rows = assembly.rows("observation_period")
    if rows is None:
        return None
    known = _plausible(rows, found, assembly.as_of)
    is_backwards = (column_or_null(known, "end_date", "observation_period") < known["start_date"]).fill_null(False)
    assembly.leave_out(known.filter(is_backwards), ENDS_FIRST)
    known = known.filter(~is_backwards)
    return assembly.engine.keep(
        known.select(
            "person_id",
            "row_extract",
            "row_line",
            start="start_date",
            end=column_or_null(known, "end_date", "observation_period"),
            member=row_id(known, "observation_period"),
            type="type_concept_id",
            row_rule="rule",
        ),
    )


def _recorded_spans(kept_events: ir.Table | None, found_visits: ir.Table | None) -> ir.Table | None:
    """First and last day of any event or visit of each person; lineage is that of the row with the lowest key."""
    parts = []
    if kept_events is not None:
        # A race is one's own from birth on, and does not say that anybody was seen then.
        is_record = kept_events["outcome"].isin(EVENT_TABLES) & (kept_events["concept_id"] != RACE_OBSERVED)
        rows = kept_events.filter(is_record)
        # An end that the row's table has no column for (OBSERVATION, MEASUREMENT, SPECIMEN) is not in the release, and shows nowhere.
        end = rows["outcome"].isin(_WITH_END).ifelse(rows["end_date"], ibis.null("date"))
        last = ibis.coalesce(end, rows["start_date"])
        # What a row's identifier is made of, without its table: so it says the same whatever order rows are in.
        parts.append(_span(rows, rows["start_date"], last, rows["row_key"] ^ rows["rule_key"]))
    if found_visits is not None:
        start = found_visits["start_date"]
        last = ibis.greatest(ibis.coalesce(found_visits["end_date"], start), start)
        parts.append(_span(found_visits, start, last, found_visits["id"]))
    if not parts:
        return None
    both = ibis.union(*parts)
    return _span(both, both["start"], both["end"], both["member"])


def _span(rows: ir.Table, start: ir.Value, end: ir.Value, member: ir.Value) -> ir.Table:
    named = rows.select("person_id", "row_extract", "row_line", start=start, end=end, member=member)
    return named.group_by("person_id").agg(
        start=named["start"].min(),
        end=named["end"].max(),
        row_extract=named["row_extract"].argmin(named["member"]),
        row_line=named["row_line"].argmin(named["member"]),
        member=named["member"].min(),
    )


def _eras(assembly: _Assembly) -> None:
    tables = assembly.tables
    if "condition_occurrence" in tables:
        rule = assembly.derive("condition eras", "condition_occurrence", "condition_era")
        eras = condition_era(tables["condition_occurrence"], rule)
        assembly.add("condition_era", eras, ("person_id", "condition_concept_id"))
    if "drug_exposure" in tables:
        rule = assembly.derive("drug eras", "drug_exposure", "drug_era")
        of = ingredients(assembly.engine, tables["drug_exposure"], assembly.vocabulary)
        eras = drug_era(tables["drug_exposure"], of, rule)
        assembly.add("drug_era", eras, ("person_id", "drug_concept_id", "drug_era_start_date"))
