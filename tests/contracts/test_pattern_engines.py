"""A pattern means the same to RE2 (DuckDB), to Rust (Sail) and to Java (Spark), also beyond ASCII and at the end of a line."""

import shutil
import subprocess
from pathlib import Path

import ibis.expr.types as ir
import pyarrow as pa
import pytest

from fairhaven.engine import Engine
from fairhaven.engine.patterns import JAVA_EDGE, pattern_fault, written_out

TEXTS = [
    *("", "a", "A", "a\n", "\na", "a\r", "a\r\n", "a\u0085", "a\u2028b", "a b", "a\u00a0b", "a\vb", "a\fb", "a\tb"),
    *("k", "K", "\u212a", "s", "S", "\u017f", "é", "É", "e\u0301", "ß", "ẞ", "σς", "Σ", "İ", "ı", "i", "I", "café", "caféx", "a-b"),
    *("1", "１", "٣", "12é", "x1", "_", "-", "ab\\1", "\U0001f600", "\u0345", "ι", "DX J45.0", "no. 7 (left)", "[x]", "&&", "$1", "^"),
]  # fmt: skip
PATTERNS = [
    *("(a$)", "(^a)", r"(a\z)", r"(\Aa)", "(a.)", "((?s)a.)", "(?s:(a.))(b?)", r"(\n.)", "(a|$)", "(^$)"),
    *(r"(\d+)", r"(\D)", r"(\w+)", r"(\W+)", r"(\s)", r"(\S+)", r"([\w-]+)", r"([^\W]+)", r"([\D]+)", r"([^\s\d]+)", r"([\s\S])"),
    *(r"(\bcaf\b)", r"(é\b)", r"\b(\d+)\b", r"(\b)", r"(a\b.)"),
    *("(?i)(k)", "(?i)([j-l])", "(?i)(s+)", "(?i)(é)", "(?i)([à-ÿ])", "(?i)([^k])", "(?i)(ß)", "(?i)(σ+)", "(?i)(i)", r"(?i)(\w)"),
    *(r"(?i)(\W)", r"(?i)(\p{L})", "((?i)a)A?", "(?i:(a))a?", "(a(?i)|b)"),
    *(r"(\p{L}+)", r"(\p{Lu})", r"(\PL)", r"([\p{N}é]+)", r"(\p{Zs})", r"(\x{1F600})", r"(\x41)"),
    *(r"([A-Z]{2} ?[A-Z]?\d{2}\.?\d*)", r"\((\w+?)\)", r"(\[.\])", "([&]{2})", r"(\$\d)", r"(\^)", r"(\\1)", "(a*?)b", "(a??)", "([a-c-]+)"),
]  # fmt: skip


def caught(engine: Engine) -> list[dict[str, object]]:
    """Of each text and pattern whether it was found, and what the group caught."""
    rows = engine.arrow(pa.table({"number": range(len(TEXTS)), "text": TEXTS}))
    text = rows["text"]
    assert isinstance(text, ir.StringValue)
    said = {f"found_{n}": text.re_search(pattern) for n, pattern in enumerate(PATTERNS)}
    said |= {f"caught_{n}": text.re_extract(pattern, 1) for n, pattern in enumerate(PATTERNS)}
    found = engine.fetch(rows.select("number", **said, mended=text.re_replace(r"^(.)\b.$", r"<\1>")))
    return list(found.sort_by("number").to_pylist())


def test_patterns_catch_on_spark_what_they_catch_on_duckdb(spark: Engine, reference: Engine) -> None:
    assert not [pattern for pattern in PATTERNS if pattern_fault(pattern, needs_group=True)]
    theirs, ours = caught(spark), caught(reference)
    unlike = [
        (TEXTS[at], PATTERNS[n])
        for at, (one, other) in enumerate(zip(theirs, ours, strict=True))
        for n in range(len(PATTERNS))
        if any(one[f"{what}_{n}"] != other[f"{what}_{n}"] for what in ("found", "caught"))
    ]
    assert not unlike
    assert [one["mended"] for one in theirs] == [other["mended"] for other in ours]


@pytest.mark.skipif(shutil.which("java") is None, reason="needs a JDK: Spark's patterns are Java's")
def test_patterns_catch_in_java_what_they_catch_on_duckdb(reference: Engine) -> None:
    program = Path(__file__).parents[1] / "support" / "JavaPatterns.java"
    lines = "\n".join(
        "\t".join(text.encode().hex() for text in (written_out(pattern, edge=JAVA_EDGE), *TEXTS))
        for pattern in PATTERNS
    )
    command = ["java", "-XX:TieredStopAtLevel=1", "-Xshare:auto", str(program)]
    said = subprocess.run(command, input=lines, capture_output=True, text=True, check=True).stdout
    ours = caught(reference)
    expected = [
        "\t".join(str(row[f"caught_{n}"]).encode().hex() if row[f"found_{n}"] else "-" for row in ours)
        for n in range(len(PATTERNS))
    ]
    unlike = [
        pattern for pattern, one, other in zip(PATTERNS, said.split("\n"), expected, strict=False) if one != other
    ]
    assert not unlike
