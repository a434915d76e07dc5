"""Source codes to standard concepts: distinct codes are resolved once, then joined back to the rows.

A code leads to a concept through, in this order: a fixed concept that the rule gives; a local map; the vocabulary
(`Maps to`, or the concept itself where it is standard). A fixed concept, or the target of a local map, that the vocabulary has as
not standard leads to what it maps to. Where it maps to nothing, or the vocabulary does not know it, a fixed concept is kept, and a
map's target is 0 unless it is a hub's own concept (over 2,000,000,000). Alternates are tried in their order. A code may lead to several concepts. A code without a standard concept has concept 0 and keeps its source concept where the vocabulary knows it.

A code that a spreadsheet has changed is what it was where that is certain and known, and the code as it stands is not (`omop.spreadsheet_codes`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from fairhaven.engine import Engine
from fairhaven.harmonise.generic_rows import CODE_ALTERNATES
from fairhaven.harmonise.local_maps import (
    BETWEEN_WORDS,
    LOOSE,
    PREFERRED_TERM,
    READ,
    READ_WITH_TERM,
    SPELLINGS,
    MapPart,
)
from fairhaven.omop.concepts import OWN_CONCEPTS, TABLE_OF_DOMAIN
from fairhaven.omop.spreadsheet_codes import PADDED, SUSPICIOUS, looks_damaged, mended_code
from fairhaven.omop.vocabulary import Vocabulary

TEXTS = (
    "vocabulary_id",
    "code",
    "vocabulary_id_2",
    "code_2",
    "vocabulary_id_3",
    "code_3",
    "code_text",
)
NUMBERS = ("concept_id", "source_concept_id")
# Order in which what a code leads to is preferred: each alternate has ten places, and the vocabulary comes after all maps.
_FIXED, _REMAPPED = -1, -2
_TURN, _WORDLESS, _ASKED = 10, 5, 1000
_MENDED = 3
"""A code as it was before a spreadsheet changed it comes after the code as it stands."""

# dm+d identifiers are SNOMED identifiers, and sources name either.
_ALSO = (("SNOMED", "dm+d"), ("dm+d", "SNOMED"), ("RxNorm", "RxNorm Extension"))


@dataclass(frozen=True, kw_only=True)
class VocabularyTables:
    """The vocabulary as Ibis tables with the CDM's columns.

    Args:
        concept: needed.
        concept_relationship: None where a hub has only concepts; then only codes of standard concepts lead anywhere.
        concept_ancestor: None where absent; then drug eras are of the drug itself, not of its ingredients.
        version: as the vocabulary names itself.
    """

    concept: ir.Table
    concept_relationship: ir.Table | None = None
    concept_ancestor: ir.Table | None = None
    version: str = ""


def vocabulary_tables(engine: Engine, vocabulary: Vocabulary) -> VocabularyTables:
    """A loaded vocabulary on an engine."""

    def where_any(table: str) -> ir.Table | None:
        return engine.parquet(vocabulary.files(table)) if vocabulary.counts[table] else None

    return VocabularyTables(
        concept=engine.parquet(vocabulary.files("concept")),
        concept_relationship=where_any("concept_relationship"),
        concept_ancestor=where_any("concept_ancestor"),
        version=vocabulary.version,
    )


def distinct_codes(tables: Sequence[ir.Table]) -> ir.Table | None:
    """The different codes of several tables of generic rows (with those of `further_codes`); NULL is '' or 0.

    None where no table has a code column.
    """
    used = [name for name in (*TEXTS, *NUMBERS) if any(name in table.columns for table in tables)]
    if not used:
        return None
    return ibis.union(*(table.select(**code_columns(table, used)).distinct() for table in tables)).distinct()


def code_columns(table: ir.Table, used: Iterable[str]) -> dict[str, ir.Value]:
    """The code columns of a table as `distinct_codes` has them, for joining back."""
    return {name: _filled(table, name) for name in used}


def _filled(table: ir.Table, name: str) -> ir.Value:
    dtype, nothing = ("int64", 0) if name in NUMBERS else ("string", "")
    value = table[name].cast(dtype) if name in table.columns else ibis.null(dtype)
    return value.fill_null(nothing)


def resolve_codes(
    engine: Engine, codes: ir.Table, vocabulary: VocabularyTables, local: pa.Table | None = None
) -> ir.Table:
    """What each different code leads to.

    Args:
        codes: from `distinct_codes`.
        local: from `local_maps`.

    Returns:
        a kept table: the columns of *codes* prefixed ``key_``, and for each one or more of ``resolved_concept_id``
        (int32, 0 where unmapped), ``resolved_source_concept_id`` (int32), ``resolved_table`` (of its domain,
        NULL where unmapped or unknown), ``resolved_is_remapped`` (a fixed concept gave way to what it maps to),
        ``resolved_is_mended`` and ``resolved_is_damaged`` (what a spreadsheet changed: led to a concept, or to none),
        ``maps_to_value`` and ``maps_to_unit`` (int32), ``ordinal`` (int32, from 0).
    """
    numbered = engine.keep(
        codes.mutate(number=ibis.row_number().over(order_by=[codes[name] for name in codes.columns]))
    )
    suspects = _suspects(engine, numbered)
    wanted = engine.keep(_wanted(numbered, suspects))
    concept = _concepts(vocabulary.concept)
    hits = engine.keep(_hits(wanted, concept))
    maps = standard_targets(vocabulary)
    parts = [_from_vocabulary(hits, maps)]
    further = None
    if local is not None and local.num_rows:
        given = engine.keep(_standard(_from_local(engine.arrow(local), numbered, wanted), concept, maps))
        concepts = given.filter(given["part"] == MapPart.CONCEPT).drop("part")
        # Somebody looked at this code and found nothing, so the vocabulary is not asked about it.
        settled = concepts.filter(concepts["target"] == 0).select("number", turn=concepts["order"] // _TURN)
        parts = [
            parts[0]
            .mutate(turn=(parts[0]["order"] - _ASKED) // _TURN)
            .anti_join(settled, ["number", "turn"])
            .drop("turn"),
            concepts.filter(concepts["target"] > 0),
        ]
        if set(local["part"].to_pylist()) > {MapPart.CONCEPT}:
            further = given
    if "concept_id" in numbered.columns:
        parts.append(_from_fixed(numbered, concept, maps))
    found = engine.keep(ibis.union(*parts).distinct())
    best = found.group_by("number").agg(best=found["order"].min())
    won = found.join(best, "number").filter(lambda t: t["order"] == t["best"])
    won = won.group_by("number", "order", "target").agg(source=won["source"].max())
    target = concept.select(target=concept["concept_id"], domain=concept["domain_id"]).semi_join(won, "target")
    target = target.group_by("target").agg(resolved_domain_id=target["domain"].min())
    won = won.left_join(target, "target").drop("target_right")
    ordinal = ibis.row_number().over(group_by=won["number"], order_by=won["target"])
    won = engine.keep(won.mutate(ordinal=ordinal.cast("int32")))
    damaged = None if suspects is None else suspects.filter(suspects["is_damaged"]).select("number").distinct()
    return engine.keep(_joined_back(numbered, hits, won, vocabulary.concept_relationship, further, damaged))


def standard_targets(vocabulary: VocabularyTables) -> ir.Table | None:
    """``concept_id, target`` (int64): the standard concepts that others map to; None where a hub has only concepts."""
    if vocabulary.concept_relationship is None:
        return None
    concept = vocabulary.concept
    standard = concept.filter(concept["standard_concept"] == "S").select(target=concept["concept_id"].cast("int64"))
    return _relations(vocabulary.concept_relationship, "Maps to").semi_join(standard, "target")


def _whole(number: int) -> ir.IntegerScalar:
    return ibis.literal(number, type="int64")


def _compared(code: ir.StringValue, vocabulary: ir.StringValue) -> ir.StringValue:
    """A code as `local_maps.CodeMap.key` has it."""
    # One engine-neutral test that a name begins with one of a few words.
    is_loose = ibis.or_(*(vocabulary.upper().startswith(beginning) for beginning in LOOSE))
    plain = code.strip()
    is_preferred = (plain.length() == READ_WITH_TERM) & plain.endswith(PREFERRED_TERM)
    read = is_preferred.ifelse(plain.substr(0, READ_WITH_TERM - len(PREFERRED_TERM)), plain).rstrip()
    # Before its point goes: without their nought the codes of septicaemia (038.9) are those of hearing loss (389).
    short = [
        ((vocabulary.upper() == name.upper()) & plain.re_search(f"^[0-9]{{{length}}}[.]"), "0" * (digits - length))
        for name, digits in PADDED.items()
        if name.startswith(LOOSE)
        for length in range(1, digits)
    ]
    whole = ibis.cases(*short, else_="") + plain
    return ibis.cases(
        (is_loose, whole.replace(".", "").replace(" ", "")),
        (vocabulary.upper().startswith(READ), read.re_replace("[.]+$", "")),
        else_=plain,
    )


def _alternates(numbered: ir.Table) -> ir.Table | None:
    """number, order, vocabulary (as OMOP spells it), code (as given); None where no rule gives codes."""
    parts = []
    for rank, (code, vocabulary) in enumerate(CODE_ALTERNATES):
        if code in numbered.columns:
            name = numbered[vocabulary] if vocabulary in numbered.columns else ibis.literal("")
            parts.append(
                numbered.select(
                    "number", order=_whole(rank * _TURN), vocabulary=_omop_spelling(name), code=numbered[code]
                )
            )
    return ibis.union(*parts).filter(lambda t: t["code"] != "") if parts else None


def _omop_spelling(name: ir.StringValue) -> ir.StringValue:
    """`local_maps.omop_spelling` of a column."""
    return name.lower().re_replace(BETWEEN_WORDS, "").cases(*SPELLINGS.items(), else_=name)


def _suspects(engine: Engine, numbered: ir.Table) -> ir.Table | None:
    """Alternates (`_alternates`) that a spreadsheet may have changed, with ``meant`` and ``is_damaged``; None where there are none."""
    given = _alternates(numbered)
    if given is None:
        return None
    is_suspect = given["code"].re_search(SUSPICIOUS) | given["vocabulary"].isin(list(PADDED))
    codes = engine.fetch(given.filter(is_suspect).select("vocabulary", "code").distinct()).to_pylist()
    looked_at = [
        {
            "suspect_vocabulary": row["vocabulary"],
            "suspect_code": row["code"],
            "meant": mended_code(row["code"], row["vocabulary"]),
            "is_damaged": looks_damaged(row["code"], row["vocabulary"]),
        }
        for row in codes
    ]
    found = [row for row in looked_at if row["meant"] or row["is_damaged"]]
    if not found:
        return None
    suspects = engine.arrow(pa.Table.from_pylist(found, _SUSPECTS))
    same = [given["vocabulary"] == suspects["suspect_vocabulary"], given["code"] == suspects["suspect_code"]]
    return given.join(suspects, same)


_SUSPECTS = pa.schema(
    [
        ("suspect_vocabulary", pa.string()),
        ("suspect_code", pa.string()),
        ("meant", pa.string()),
        ("is_damaged", pa.bool_()),
    ]
)


def _wanted(numbered: ir.Table, suspects: ir.Table | None) -> ir.Table:
    """number, order, vocabulary, code: every alternate to look for, in order of preference."""
    given = _alternates(numbered)
    parts = []
    if given is not None:
        parts = _looked_for(given)
        if suspects is not None:
            mended = suspects.filter(suspects["meant"] != "")
            mended = mended.select("number", "vocabulary", order=mended["order"] + _MENDED, code=mended["meant"])
            parts += _looked_for(mended)
    if not parts:
        nothing = numbered.filter(ibis.literal(False))
        empty = ibis.literal("")
        return nothing.select("number", order=_whole(0), vocabulary=empty, code=empty, named=empty)
    return ibis.union(*parts)


def _looked_for(given: ir.Table) -> list[ir.Table]:
    """Codes as they are compared, in their vocabulary and in those that share its codes."""
    vocabulary = given["vocabulary"]
    part = given.select(
        "number", "order", "vocabulary", code=_compared(given["code"], vocabulary), named=vocabulary.lower()
    ).filter(lambda t: t["code"] != "")
    also = [
        part.filter(part["vocabulary"] == one).mutate(
            order=part["order"] + 1, vocabulary=ibis.literal(other), named=ibis.literal("")
        )
        for one, other in _ALSO
    ]
    return [part, *also]


def _concepts(concept: ir.Table) -> ir.Table:
    valid = concept["invalid_reason"].isnull() if "invalid_reason" in concept.columns else ibis.literal(True)
    return concept.select(
        concept_id=concept["concept_id"].cast("int64"),
        vocabulary=concept["vocabulary_id"],
        code=_compared(concept["concept_code"], concept["vocabulary_id"]),
        domain_id=concept["domain_id"],
        is_standard=concept["standard_concept"].fill_null("") == "S",
        is_valid=valid,
    )


def _hits(wanted: ir.Table, concept: ir.Table) -> ir.Table:
    """number, order, concept_id, is_standard: the source concept of each alternate that the vocabulary knows."""
    joined = wanted.join(concept, ["vocabulary", "code"])
    turn = ibis.row_number().over(
        group_by=[joined["number"], joined["order"]],
        order_by=[ibis.desc(joined["is_standard"]), ibis.desc(joined["is_valid"]), joined["concept_id"]],
    )
    return (
        joined.mutate(turn=turn).filter(lambda t: t["turn"] == 0).select("number", "order", "concept_id", "is_standard")
    )


def _relations(relationship: ir.Table, name: str) -> ir.Table:
    valid = relationship["invalid_reason"].fill_null("") == ""
    return relationship.filter((relationship["relationship_id"] == name) & valid).select(
        concept_id=relationship["concept_id_1"].cast("int64"), target=relationship["concept_id_2"].cast("int64")
    )


def _from_vocabulary(hits: ir.Table, maps: ir.Table | None) -> ir.Table:
    hits = hits.mutate(order=hits["order"] + _ASKED, source=_whole(0))
    found = hits.filter(hits["is_standard"]).select("number", "order", "source", target="concept_id")
    if maps is None:
        return found
    mapped = hits.filter(~hits["is_standard"]).join(maps, "concept_id")
    return found.union(mapped.select("number", "order", "source", "target"))


def _from_fixed(numbered: ir.Table, concept: ir.Table, maps: ir.Table | None) -> ir.Table:
    fixed = numbered.filter(numbered["concept_id"] > 0).select("number", "concept_id")
    found = fixed.select("number", order=_whole(_FIXED), source=_whole(0), target="concept_id")
    if maps is None:
        return found
    mapped = fixed.semi_join(concept.filter(~concept["is_standard"]), "concept_id").join(maps, "concept_id")
    return found.union(mapped.select("number", order=_whole(_REMAPPED), source="concept_id", target="target"))


def _from_local(local: ir.Table, numbered: ir.Table, wanted: ir.Table) -> ir.Table:
    """number, order, part, source, target of maps by code, by code and text, and by text alone."""
    text = numbered["code_text"].strip().lower() if "code_text" in numbered.columns else ibis.literal("")
    texts = numbered.select("number", words=text)
    named = wanted.filter(wanted["named"] != "").join(texts, "number")
    by_code = named.join(local, [named["named"] == local["vocabulary"], named["code"] == local["code"]])
    by_code = by_code.filter((by_code["text"] == "") | (by_code["text"] == by_code["words"]))
    # An entry that asks for no words is for those that no other entry of the code asks for.
    order = by_code["order"] + ((by_code["text"] == "") & (by_code["words"] != "")).ifelse(_WORDLESS, 0)
    found = by_code.select("number", "part", order=order, source="source_concept_id", target="target_concept_id")
    if "code_text" not in numbered.columns:
        return found
    vocabulary = numbered["vocabulary_id"] if "vocabulary_id" in numbered.columns else ibis.literal("")
    worded = numbered.select("number", named=_omop_spelling(vocabulary).lower(), words=text).filter(
        lambda t: t["words"] != ""
    )
    only_text = local.filter(local["code"] == "")
    by_text = worded.join(only_text, [worded["named"] == only_text["vocabulary"], worded["words"] == only_text["text"]])
    return found.union(
        by_text.select(
            "number", "part", order=_whole(100), source="source_concept_id", target="target_concept_id"
        ).select(found.columns)
    )


def _standard(given: ir.Table, concept: ir.Table, maps: ir.Table | None) -> ir.Table:
    """Targets of maps that a release may hold: standard ones, a hub's own, and what others map to; 0 in place of the rest."""
    known = concept.select(known="concept_id", is_standard="is_standard").semi_join(given, [("known", "target")])
    given = given.left_join(known, given["target"] == known["known"])
    is_kept = given["is_standard"].fill_null(False) | (given["target"] >= OWN_CONCEPTS)
    source = (given["source"] == 0).ifelse(given["known"].fill_null(0), given["source"])
    kept = given.filter(is_kept).select("number", "order", "part", "source", "target")
    others = given.filter(~is_kept).select("number", "order", "part", source=source, was="target")
    if maps is not None:
        others = others.left_join(maps, others["was"] == maps["concept_id"])
    target = others["target"] if maps is not None else ibis.null("int64")
    return kept.union(others.select("number", "order", "part", "source", target=target.fill_null(0)))


def _joined_back(
    numbered: ir.Table,
    hits: ir.Table,
    won: ir.Table,
    relationship: ir.Table | None,
    further: ir.Table | None,
    damaged: ir.Table | None,
) -> ir.Table:
    source = hits.group_by("number").agg(known_source=hits["concept_id"].argmin(hits["order"]))
    rows = numbered.left_join(source, "number").drop("number_right")
    rows = rows.left_join(won, "number").drop("number_right")
    if damaged is not None:
        rows = rows.left_join(damaged.mutate(looks_damaged=True), "number").drop("number_right")
    value = unit = ibis.null("int32")
    is_remapped = (rows["order"] == _REMAPPED).fill_null(False)
    if relationship is not None:
        asked = rows.select("number", asked=is_remapped.ifelse(rows["source"], rows["known_source"])).distinct()
        valued = asked.join(_relations(relationship, "Maps to value"), [("asked", "concept_id")])
        values = valued.group_by("number").agg(maps_to_value=valued["target"].min())
        rows = rows.left_join(values, "number").drop("number_right")
        value = rows["maps_to_value"].cast("int32")
    if further is not None:
        for part in (MapPart.VALUE, MapPart.UNIT):
            given = further.filter((further["part"] == part) & (further["target"] > 0))
            given = given.group_by("number").agg(**{part.value: given["target"].argmin(given["order"])})
            rows = rows.left_join(given, "number").drop("number_right")
        value = ibis.coalesce(rows[MapPart.VALUE].cast("int32"), value)
        unit = rows[MapPart.UNIT].cast("int32")
    given = rows["source_concept_id"].nullif(0) if "source_concept_id" in numbered.columns else ibis.null("int64")
    is_mapped = rows["target"].fill_null(0) > 0
    is_damaged = is_mended = ibis.literal(False)
    if damaged is not None:
        is_damaged = rows["looks_damaged"].fill_null(False) & ~is_mapped
        is_mended = is_mapped & (rows["order"] >= 0) & (rows["order"] % _WORDLESS >= _MENDED)
    return rows.select(
        **{f"key_{name}": rows[name] for name in numbered.columns if name != "number"},
        resolved_concept_id=rows["target"].fill_null(0).cast("int32"),
        resolved_source_concept_id=ibis.coalesce(given, rows["source"].nullif(0), rows["known_source"], 0).cast(
            "int32"
        ),
        resolved_table=_table(rows["resolved_domain_id"]),
        resolved_is_remapped=(rows["order"] == _REMAPPED).fill_null(False),
        resolved_is_mended=is_mended,
        resolved_is_damaged=is_damaged,
        maps_to_value=value,
        maps_to_unit=unit,
        ordinal=rows["ordinal"].fill_null(0).cast("int32"),
    )


def _table(domain: ir.StringValue) -> ir.StringValue:
    """The table that a domain leads to; NULL for an unknown domain."""
    other = domain.notnull().ifelse(ibis.literal("observation"), ibis.null("string"))
    return domain.cases(*TABLE_OF_DOMAIN.items(), else_=other)


def with_concepts(rows: ir.Table, resolved: ir.Table | None) -> ir.Table:
    """Rows with what their codes lead to, a row for each concept, without the code columns.

    Adds ``resolved_concept_id``, ``resolved_source_concept_id``, ``resolved_source_value``, ``resolved_vocabulary_id``,
    ``resolved_table``, ``resolved_is_remapped``, ``resolved_is_mended``, ``resolved_is_damaged``, ``maps_to_value``, ``maps_to_unit`` and ``ordinal``.
    """
    present = [name for name in (*TEXTS, *NUMBERS, "source_value") if name in rows.columns]
    others = [name for name in rows.columns if name not in present]
    delivered = rows["source_value"].nullif("") if "source_value" in present else ibis.null("string")
    if resolved is None or not {*TEXTS, *NUMBERS}.intersection(present):
        zero = ibis.literal(0, type="int32")
        return rows.select(
            *others,
            resolved_source_value=delivered,
            resolved_concept_id=zero,
            resolved_source_concept_id=zero,
            resolved_vocabulary_id=ibis.null("string"),
            resolved_table=ibis.null("string"),
            resolved_is_remapped=ibis.literal(False),
            resolved_is_mended=ibis.literal(False),
            resolved_is_damaged=ibis.literal(False),
            maps_to_value=ibis.null("int32"),
            maps_to_unit=ibis.null("int32"),
            ordinal=zero,
        )
    keys = [name.removeprefix("key_") for name in resolved.columns if name.startswith("key_")]
    same = [value == resolved[f"key_{name}"] for name, value in code_columns(rows, keys).items()]
    # Where rows are the same as a key, the key says what they hold.
    words = [resolved[f"key_{name}"].nullif("") for name in ("code", "code_text") if name in keys]
    vocabulary = resolved["key_vocabulary_id"].nullif("") if "vocabulary_id" in keys else ibis.null("string")
    return rows.join(resolved, same).select(
        *others,
        *[name for name in resolved.columns if not name.startswith("key_")],
        resolved_source_value=ibis.coalesce(delivered, *words),
        resolved_vocabulary_id=vocabulary,
    )


def further_codes(rows: ir.Table, code: str, vocabulary_id: str) -> ir.Table:
    """The codes of a further column, as `distinct_codes` takes them."""
    return rows.filter(rows[code].notnull()).select(code=rows[code], vocabulary_id=_vocabulary(rows, vocabulary_id))


def with_further_concept(rows: ir.Table, code: str, vocabulary_id: str, resolved: ir.Table) -> ir.Table:
    """Rows with ``<code>_concept``: the concept of a further column's code; beside it what they are compared with."""
    others = {name.removeprefix("key_") for name in resolved.columns if name.startswith("key_")}
    is_plain = [
        resolved[f"key_{name}"] == (0 if name in NUMBERS else "") for name in others - {"code", "vocabulary_id"}
    ]
    found = resolved.filter(resolved["ordinal"] == 0, *is_plain).select(
        **{
            f"{code}_concept": "resolved_concept_id",
            f"{code}_concept_code": "key_code",
            f"{code}_concept_vocabulary": "key_vocabulary_id",
        }
    )
    named = _vocabulary(rows, vocabulary_id)
    return rows.left_join(
        found, [rows[code] == found[f"{code}_concept_code"], named == found[f"{code}_concept_vocabulary"]]
    )


def _vocabulary(rows: ir.Table, name: str) -> ir.StringValue:
    return rows[name].fill_null("") if name in rows.columns else ibis.literal("")
