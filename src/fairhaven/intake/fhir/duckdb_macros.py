"""The DuckDB macros that FHIR columns are written in: moments, references, codings."""

import duckdb

from fairhaven.intake.fhir.code_systems import HL7_PREFIXES, VOCABULARIES
from fairhaven.intake.fhir.status_codes import NEGATIONS
from fairhaven.intake.fhir.views import NHS_NUMBER_SPELLINGS, NHS_NUMBER_SYSTEMS
from fairhaven.intake.time_zones import in_zone, is_utc
from fairhaven.intake.type_casting import without_leap_second


def create_macros(connection: duckdb.DuckDBPyConnection, *, time_zone: str) -> None:
    """Make the macros in a connection.

    - ``fhir_moment(text)``: TIMESTAMP of a date, dateTime or instant, on the clock where the patient was (`time_zones`); a part of a
      date (2019, 2019-05) is its first day, a leap second the second before it.
    - ``fhir_last_moment(text)``: the same, but a part of a date is its last day: of a death, or of a period's end.
    - ``fhir_instant(text)``: microseconds since 1970 (UTC) of an instant, by which versions are compared; NULL of what is none. Without an offset
      it is taken for UTC.
    - ``fhir_is_nhs(system)``: whether an identifier's system is the NHS number's, however it is spelled; ``fhir_system(system)``: a system as
      it is usually spelled.
    - ``fhir_token(system, value)``: a digest that stands for an identifier, so that the identifier itself does not land.
    - ``fhir_key(reference, first, others)``: id of the resource that a Reference names, if it is of one of the types.
    - ``fhir_vocabulary(system)``: OMOP vocabulary_id of a code system, else a short name (HL7) or the system's URI.
    - ``fhir_modifies(extensions)``: whether the JSON of a ``modifierExtension`` has one that is not known, or that negates.
    - ``fhir_preferred(codings)``: the codings, the one to be preferred first.
    """
    for macro in (
        _moment(time_zone),
        _LAST_MOMENT,
        _INSTANT,
        *_REFERENCES,
        _MODIFIES,
        _vocabulary(),
        _PREFERRED.format(systems=list(VOCABULARIES)),
    ):
        connection.execute(f"CREATE OR REPLACE TEMP MACRO {macro}")


def _moment(zone: str) -> str:
    clock = without_leap_second("left(moment, 19)")
    at_time = f"try_cast({clock} AS TIMESTAMP)"
    return (
        f"fhir_moment(moment) AS CASE WHEN length(moment) > 19 AND {is_utc('moment')} THEN {in_zone(at_time, zone)} "
        "ELSE try_cast(CASE length(moment) WHEN 10 THEN moment WHEN 4 THEN moment || '-01-01' "
        f"WHEN 7 THEN moment || '-01' ELSE {clock} END AS TIMESTAMP) END"
    )


_LAST_MOMENT = (
    "fhir_last_moment(moment) AS CASE length(moment) WHEN 4 THEN try_cast(moment || '-12-31' AS TIMESTAMP) "
    "WHEN 7 THEN last_day(try_cast(moment || '-01' AS DATE))::TIMESTAMP ELSE fhir_moment(moment) END"
)

_INSTANT = r"""
fhir_instant(written) AS CASE
    WHEN written IS NULL THEN NULL
    WHEN regexp_matches(written, '[0-9]([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)\s*$') AND length(written) > 15
        THEN epoch_us(try_cast(upper(trim(written)) AS TIMESTAMPTZ))
    ELSE epoch_us(try_cast(CASE length(trim(written)) WHEN 4 THEN trim(written) || '-01-01' WHEN 7 THEN trim(written) || '-01'
        ELSE trim(written) END AS TIMESTAMP))
END
"""

# What a Reference names is said twice: here for landing, and in `resource_references` for whoever looks for what belongs to somebody. A
# test holds the two to each other. Blanks around a reference are nothing, nor is what stands behind #, ? or |. Of the forms that are left
# `Type/id` is by far the most frequent, and goes first.
_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160)"
_TEXT = f"fhir_text(written) AS nullif(trim(written, {_BLANKS}), '')"
_PLAIN = "fhir_plain(written) AS fhir_text(split_part(split_part(split_part(written, '#', 1), '?', 1), '|', 1))"
_TYPE = "fhir_type(written) AS split_part(fhir_text(written), '/', -1)"
_VALUE = r"""
fhir_value(written) AS CASE
    WHEN regexp_full_match(written, '([\s\x{00A0}-]*[0-9]){10}[\s\x{00A0}-]*') THEN regexp_replace(written, '[^0-9]', '', 'g')
    ELSE regexp_replace(written, '[\s\x{00A0}]', '', 'g')
END
"""
_SYSTEM = f"""
fhir_system(written) AS CASE
    WHEN fhir_text(written) IN {NHS_NUMBER_SYSTEMS} THEN fhir_text(written)
    WHEN regexp_full_match(lower(fhir_text(written)), '{NHS_NUMBER_SPELLINGS}') THEN '{NHS_NUMBER_SYSTEMS[0]}'
    ELSE rtrim(fhir_text(written), '/')
END
"""
_IS_NHS = f"fhir_is_nhs(written) AS coalesce(fhir_system(written) IN {NHS_NUMBER_SYSTEMS}, false)"
_TOKEN = (
    "fhir_token(system, value) AS "
    "'identifier-' || substr(sha256(coalesce(fhir_system(system), '') || '|' || fhir_value(value)), 1, 24)"
)
# What a macro is given is written out wherever the macro uses it, and bound there anew: of a dozen references that took half a second
# for each table of a file. So what is used several times is an element of a list, by the name that a lambda gives it.
_KEY = """
fhir_key(ref, first, others) AS CASE
    WHEN starts_with(ref.reference, first || '/') THEN fhir_plain(split_part(ref.reference, '/', 2))
    WHEN ref.reference IS NULL AND ref.identifier.value IS NULL THEN NULL
    ELSE list_transform(list_transform([{
        'text': fhir_text(ref.reference), 'plain': fhir_plain(ref.reference), 'type': fhir_type(ref.type),
        'is_searched': regexp_matches(ref.reference, '[?&]identifier='),
        'query': url_decode(regexp_extract(ref.reference, '[?&]identifier=([^&#]*)', 1)),
        'system': ref.identifier.system, 'value': ref.identifier.value}],
        lambda said: {
            'text': said.text, 'plain': said.plain, 'type': said.type, 'is_searched': said.is_searched,
            'parts': string_split(rtrim(split_part(said.plain, '/_history', 1), '/'), '/'),
            'system': CASE WHEN said.text IS NULL THEN said.system
                WHEN contains(said.query, '|') THEN split_part(said.query, '|', 1) ELSE '' END,
            'value': CASE WHEN said.text IS NULL THEN said.value
                WHEN contains(said.query, '|') THEN split_part(said.query, '|', 2) ELSE said.query END}),
        lambda it: CASE
            WHEN starts_with(it.text, '#') THEN NULL
            WHEN starts_with(it.text, 'urn:') THEN
                CASE WHEN coalesce(it.type, first) = first OR list_contains(others, it.type) THEN split_part(it.plain, ':', -1) END
            WHEN it.text IS NULL OR it.is_searched THEN CASE
                WHEN first = CASE WHEN it.text IS NULL THEN coalesce(it.type, first) ELSE it.parts[-1] END THEN ''
                WHEN it.text IS NULL AND list_contains(others, it.type) THEN it.type || '/'
            END || fhir_token(it.system, it.value)
            WHEN it.parts[-2] = first THEN it.parts[-1]
            WHEN list_contains(others, it.parts[-2]) THEN it.parts[-2] || '/' || it.parts[-1]
        END)[1]
END
"""
_REFERENCES = (_TEXT, _PLAIN, _TYPE, _VALUE, _SYSTEM, _IS_NHS, _TOKEN, _KEY)

_KNOWN = f"list_contains({list(NEGATIONS)}, one.url) AND one.\"valueBoolean\"::VARCHAR = 'false'"
_MODIFIES = (
    "fhir_modifies(extensions) AS json_type(extensions) <> 'NULL' AND (json_type(extensions) <> 'ARRAY' OR len(list_filter("
    """json_transform(extensions, '[{"url": "VARCHAR", "valueBoolean": "JSON"}]'), """
    f"lambda one: NOT coalesce({_KNOWN}, false))) > 0)"
)

_PREFERRED = """
fhir_preferred(codings) AS CASE WHEN coalesce(len(codings), 0) <= 1 THEN codings ELSE
    list_transform(
        list_sort(list_transform(codings, lambda coding, place: {{
            'rank': CASE WHEN coding.code IS NULL THEN 9999 WHEN coding.userSelected THEN 0
                         ELSE coalesce(list_position({systems}, rtrim(coding.system, '/')), 999) END,
            'place': place, 'coding': coding}})),
        lambda ranked: ranked.coding)
END
"""


def _vocabulary() -> str:
    ours = " OR ".join(f"starts_with(system, '{prefix}')" for prefix in HL7_PREFIXES)
    place = f"list_position({list(VOCABULARIES)}, rtrim(system, '/'))"
    # A branch of a CASE is evaluated for the rows that are left, so what is most frequent, nothing at all, goes first.
    return (
        "fhir_vocabulary(system) AS CASE WHEN system IS NULL THEN NULL "
        "WHEN system = 'http://snomed.info/sct' THEN 'SNOMED' WHEN system = 'http://loinc.org' THEN 'LOINC' "
        "WHEN starts_with(system, 'http://terminology.hl7.org/CodeSystem/v') THEN split_part(system, '/', -1) "
        f"ELSE coalesce({list(VOCABULARIES.values())}[{place}], "
        f"CASE WHEN {ours} THEN split_part(system, '/', -1) ELSE system END) END"
    )
