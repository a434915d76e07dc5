"""What Splink compares, as levels from most to least alike; the conditions are those of `agreement_conditions`."""

import re
from collections.abc import Sequence
from typing import Any

from fairhaven.linkage import agreement_conditions as agree

_SIDE = re.compile(r"\b([lr])\.(\w+)")


def comparisons(present: Sequence[str]) -> list[dict[str, Any]]:
    """Comparisons for the columns that carry something; text columns that have none of their own get the common one."""
    own = {
        "given": _comparison(
            "given",
            "l.given IS NULL OR r.given IS NULL",
            (agree.GIVEN_EQUAL, "given"),
            (f"{agree.NAMES_SWAPPED} OR {agree.GIVEN_RELATED} OR {agree.typed_alike('given')}", None),
            (f"{agree.GIVEN_INITIAL} OR {agree.sounds_alike('given')}", None),
        ),
        "family": _comparison(
            "family",
            "l.family IS NULL OR r.family IS NULL",
            ("l.family = r.family", "family"),
            (f"{agree.NAMES_SWAPPED} OR {agree.FAMILY_SHARED} OR {agree.typed_alike('family')}", None),
            (agree.sounds_alike("family"), None),
        ),
        "birth": _comparison(
            "birth",
            "l.birth IS NULL OR r.birth IS NULL",
            ("l.birth = r.birth", "birth"),
            (f"{agree.BIRTH_TURNED} OR {agree.BIRTH_TYPED_ALIKE}", None),
            (agree.BIRTH_RELATED, None),
            ("abs(left(l.birth, 4)::INT - left(r.birth, 4)::INT) <= 10", None),
        ),
        "birth_part": _comparison(
            "birth_part",
            f"NOT {agree.BIRTHS_KNOWN} OR (l.birth IS NOT NULL AND r.birth IS NOT NULL)",
            (agree.BIRTH_MONTH_AGREES, None),
            (agree.BIRTH_PART_AGREES, None),
        ),
        "id_text": _comparison(
            "id_text",
            "l.id_text IS NULL OR r.id_text IS NULL",
            ("l.id_text = r.id_text", None),
            ("damerau_levenshtein(l.id_text, r.id_text) <= 2", None),
        ),
        "postcode": _comparison(
            "postcode",
            "l.postcode IS NULL OR r.postcode IS NULL",
            ("l.postcode = r.postcode", "postcode"),
            ("damerau_levenshtein(l.postcode, r.postcode) <= 1", None),
            ("l.area = r.area", None),
        ),
        "sex": _comparison("sex", "l.sex IS NULL OR r.sex IS NULL", ("l.sex = r.sex", None)),
    }  # fmt: skip
    return [own[column] if column in own else _text(column) for column in present]


def as_splink(condition: str) -> str:
    """``l.given`` as Splink writes it: ``given_l``."""
    return _SIDE.sub(r'"\2_\1"', condition)


def _text(column: str) -> dict[str, Any]:
    return _comparison(
        column,
        f"l.{column} IS NULL OR r.{column} IS NULL",
        (f"l.{column} = r.{column}", column),
        (f"jaro_winkler_similarity(l.{column}, r.{column}) >= 0.92", None),
        (f"jaro_winkler_similarity(l.{column}, r.{column}) >= 0.8", None),
    )


def _comparison(name: str, missing: str, *levels: tuple[str, str | None]) -> dict[str, Any]:
    described = [
        {"sql_condition": as_splink(condition), "label_for_charts": f"{name} {number}", **_frequencies(frequent)}
        for number, (condition, frequent) in enumerate(levels)
    ]
    unknown = {"sql_condition": as_splink(missing), "label_for_charts": "missing", "is_null_level": True}
    other = {"sql_condition": "ELSE", "label_for_charts": "differs"}
    return {"output_column_name": name, "comparison_levels": [unknown, *described, other]}


def _frequencies(column: str | None) -> dict[str, Any]:
    """That a rare value in a column speaks louder than a frequent one."""
    if column is None:
        return {}
    return {"tf_adjustment_column": column, "tf_minimum_u_value": 0.0001 if column == "birth" else 0.00001}
