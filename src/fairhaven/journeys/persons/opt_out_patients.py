"""Whom opt-outs keep out of a release: Type 1 as a practice's data says, the national list by NHS number."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.engine import Engine
from fairhaven.intake import Extract, OptOutList, Source, check_opt_out_list
from fairhaven.journeys.model import Rooms
from fairhaven.release.facts import OptOutFacts

_SCHEMA = pa.schema([("source", pa.string()), ("patient_ref", pa.string()), ("kind", pa.string())])


@dataclass(frozen=True, kw_only=True, slots=True)
class OptedOut:
    """Patients whom opt-outs keep out of a release.

    Args:
        refs: columns source, patient_ref, kind (``type-1`` or ``national``).
        national: the list that was applied; None where no source is in its scope.
    """

    refs: pa.Table
    national: OptOutList | None

    def of(self, source: str) -> pa.Table:
        """The patient_refs of one source, each once."""
        mine = self.refs.filter(pc.equal(self.refs["source"], source))
        return mine.group_by("patient_ref").aggregate([]).select(["patient_ref"])


def opt_outs(
    rooms: Rooms,
    engine: Engine,
    fed: Sequence[Source],
    extracts: Sequence[Extract],
    index: pa.Table,
    *,
    as_of: dt.date,
    today: dt.date,
) -> OptedOut:
    """Who is kept out, with the sources that delivered and the index of persons.

    A listed number keeps out every patient of the person who bears it in any source, in each source of the list's scope.

    Args:
        extracts: all that were received.

    Raises:
        NotAllowedNow: the list or the codes are not known for certain.
    """
    parts = [_SCHEMA.empty_table()]
    for source in fed:
        if source.type_1_opt_out is not None:
            refs = rooms.intake.type_1_opt_outs(engine, source).column("patient_ref")
            parts.append(_marked(refs, source.name, "type-1"))
    in_scope = [source.name for source in fed if source.in_national_opt_out]
    national = None
    if in_scope:
        national = rooms.intake.national_opt_out(as_of=as_of)
        check_opt_out_list(national, as_of=as_of, today=today, max_age_days=rooms.settings.national_max_age_days)
        assert national is not None
        numbers = national.numbers.column("nhs_number").to_pylist()
        listed = rooms.vault.refs_with_nhs_numbers(numbers, index, extracts=[extract.number for extract in extracts])
        for name in in_scope:
            refs = listed.filter(pc.equal(listed["source"], name)).column("patient_ref")
            parts.append(_marked(refs, name, "national"))
    return OptedOut(refs=pa.concat_tables(parts), national=national)


def _marked(refs: pa.ChunkedArray, source: str, kind: str) -> pa.Table:
    rows = len(refs)
    return pa.table({"source": [source] * rows, "patient_ref": refs, "kind": [kind] * rows}, schema=_SCHEMA)


def opt_out_facts(opted_out: OptedOut) -> tuple[OptOutFacts, ...]:
    """Patients kept out by source and kind, for the manifest."""
    counted = opted_out.refs.group_by(["source", "kind"]).aggregate([("patient_ref", "count_distinct")])
    dated = opted_out.national.dated if opted_out.national else None
    return tuple(
        OptOutFacts(
            source=row["source"],
            kind=row["kind"],
            patients=row["patient_ref_count_distinct"],
            list_date=dated if row["kind"] == "national" else None,
        )
        for row in sorted(counted.to_pylist(), key=lambda row: (row["source"], row["kind"]))
    )
