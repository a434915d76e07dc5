"""Patterns of mapping files: what `check` takes, the engine takes; what it does not take is refused by name."""

import random
from pathlib import Path

import duckdb
import pytest

from fairhaven.engine.patterns import pattern_fault, written_out
from fairhaven.harmonise import read_mapping
from fairhaven.kernel.toml import Document

REFUSED = [
    ("(?=a)", "a lookahead ((?=)"),
    ("(?!a)b", "a lookahead ((?!)"),
    ("(?<!x)y", "a lookbehind"),
    (r"(a)\1", r"refers back to a group (\1)"),
    ("a++", "a possessive repeat"),
    ("a{2}+", "a possessive repeat"),
    ("(?>a)", "an atomic group"),
    ("(?P<year>[0-9]+)", "a name of a group"),
    ("(?<year>[0-9]+)", "a name of a group"),
    ("(?x)a b", "a group that begins with (?x"),
    ("(?#no)", "a comment"),
    (r"\Z", r"has \Z"),
    (r"\u0041", r"has \u"),
    (r"\Qa\E", r"has \Q"),
    (r"\p{Greek}", r"has \p"),
    (r"\p{C}", r"has \p"),
    (r"a\B", r"has \B"),
    (r"(?i)\p{Lu}", r"has \p{Lu} where case is ignored"),
    (r"(?i:[\p{Ll}x])", r"has \p{Ll} where case is ignored"),
    ("[[:alpha:]]", "has [: in square brackets"),
    ("[a&&b]", "has && in square brackets"),
    (r"[\d-x]", "a range in square brackets"),
    ("[z-a]", "does not rise"),
    ("[]a]", "nothing in square brackets"),
    ("[a", "a square bracket that is never closed"),
    (r"[\b]", r"\b in square brackets"),
    ("a{,3}", "is no number of repeats"),
    ("a{3,2}", "at least more often than at most"),
    ("a{1001}", "repeats too often"),
    ("(?:a{100}){100}", "repeats too often"),
    (r"\p{L}{1000}", "repeats too often what is long"),
    ("a**", "repeats a repeat"),
    ("*a", "a * that repeats nothing"),
    ("^*", "repeats a place"),
    ("(a", "a bracket that is never closed"),
    ("a)", "a closing bracket too many"),
    ("a\\", "has \\"),
    ("(" * 60 + ")" * 60, "is nested too deeply"),
    ("a" * 2_000, "more than 1,000 characters"),
]
TAKEN = [
    *(
        "^[A-Z]",
        "([0-9.]+)",
        "(?i)abc|(?:d)?",
        "(?s:a.b)",
        r"[\-a-]",
        r"\/\-\_",
        r"\x41\x{1F600}",
        r"\p{Lu}\P{N}\pL",
        "[a-z&]",
    ),
    *("a}", "(|a)", r"[\]\x41-\x5A\d]", r"\A\d{2,4}\b\z", "é+?", "[^0-9]{0,1000}", r"^([^ ]+) +\(([A-Z]{2})\)$"),
]


@pytest.mark.parametrize(("expression", "said"), REFUSED)
def test_a_pattern_that_an_engine_lacks_or_reads_otherwise_is_refused_by_name(expression: str, said: str) -> None:
    assert said in pattern_fault(expression, needs_group=False)


def test_a_pattern_that_is_taken_is_one_of_the_engine() -> None:
    parts = [
        *"ab.^$()[]{}*+?|&#-é",
        r"\d",
        r"\w",
        "[a-z]",
        "[^0-9k]",
        "(?:x)",
        "(?i)",
        r"\b",
        r"\p{L}",
        r"\x41",
        "{2}",
        "{2,}",
        "{300}",
        "(?s:",
        r"\A",
    ]
    chance = random.Random(3)
    written = ["".join(chance.choices(parts, k=chance.randint(1, 8))) for _ in range(1_500)]
    taken = [*TAKEN, *(expression for expression in written if not pattern_fault(expression, needs_group=False))]
    assert len(taken) > 300
    with duckdb.connect(config={"threads": 1}) as connection:
        texts = "unnest(['abc', 'É-k' || chr(8490) || chr(10), '7 Ab' || chr(13) || chr(10) || 'A_']) AS texts(text)"
        for expression in taken:
            said = "regexp_matches(text, $1)::VARCHAR || regexp_extract(text, $1, 0)"
            unlike = f"SELECT count(*) FROM {texts} WHERE {said} <> {said.replace('$1', '$2')}"
            same = written_out(expression, edge=r"\b")
            assert connection.execute(unlike, [expression, same]).fetchall() == [(0,)], (expression, same)
    assert not [expression for expression in TAKEN if pattern_fault(expression, needs_group=False)]


def test_every_pattern_of_a_file_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text("""
[[map]]
name = "a"
from = "events"
to = "event"
when = { code = { matches = "(?=a)" }, day = { matches = "^2" } }
[map.code]
column = { column = "code", pattern = '(a)\\1' }
vocabulary = { column = "code", pattern = "(?<=a)b", map = { x = "SNOMED" } }
[map.set]
start_date = "day"
value_text = { first = ["a", { join = [{ column = "b", pattern = "[0-9]+" }, "c"] }] }
""")
    document = Document(path, "mappings/gp.toml")
    assert read_mapping(document) is None
    said = " ".join(map(str, document.faults))
    for each in ("lookahead", "refers back", "lookbehind", "must have a group in round brackets"):
        assert each in said
