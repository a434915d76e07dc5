"""Files that are almost right: of bytes that were flipped, cut and doubled, of documents in which a value is another."""

import copy
import gzip
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

# Long enough that what takes the square of a length takes minutes.
_LONG = 200_000
PIECES = st.sampled_from(
    [
        *(b"\0", b"\xff", b"\r", b"\n", b'"', b",", b"\t", b"'", b"\\", b"\x1b[2J", "\u202e".encode(), b"\xed\xa0\x80"),
        *(b"9" * 400, b"9" * _LONG, b"-1", b"1e999", b"NaN", "\u00b2".encode(), "\u0663".encode(), b"true", b"null"),
        *(b"../../outside/secret", b"*", b"[", b"{", b"[" * 2000, b"[" * _LONG, b"[.]", b" " * _LONG, b"a" * _LONG),
        *(b"2020-02-30", b"9999-99-99", b"\xff\xff\xff\x7f", b"\xff" * 8, b"PAR1", b"PK\x03\x04", b"PK\x05\x06"),
        b"\x1f\x8b\x08\0\0\0\0\0\0\3",
    ]
)
_VALUES: Sequence[Any] = [
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 0.5, 1e308, float("inf"), float("nan"), "", "x" * _LONG),
    *("\ud800", "\u00b2", "-1", "9" * 30, "9" * _LONG, "1e999", "2020-02-30", "../../outside/secret", "\x1b[2J"),
    *(" " * _LONG, "a" + " " * _LONG + "b", "\\" * _LONG, "\u201c" * _LONG, "'; --", "]", "%"),
    *([], {}, [[]], [None], [{}], {"": None}, {"a": {}}, ["a", "a"]),
]
"""What nobody expects in the place of a value."""
_TOML_VALUES = [
    *('""', '"x"', "0", "-1", "1", "9" * 30, "9" * 5000, "0.5", "inf", "nan", "true", "2020-01-01", "10:00:00", "[]"),
    *("{}", "[[]]", "[1]", '[""]', '["a", 1]', "[{}]", "{ a = 1 }", "{ a = {} }", "[" * _LONG, "a." * 9_000 + "a = 1"),
    *('"a' + " " * _LONG + 'b"', "'''\n[" + " " * _LONG + "'''", "['''\n\"" + '\\"' * _LONG + "''']", "'''\n[.]\n'''"),
    *("'a{99999999999999999999}'", "'(((((('", '"%"', '"{1..999}"', '"../../outside/secret"'),
]


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Bits flipped, parts cut out, doubled, put in or swapped."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 3, 8]))):
        # Ends and beginnings are where formats keep what they say of themselves.
        at = draw(st.one_of(st.integers(0, len(content)), st.integers(0, 64), st.integers(-300, -1)))
        at = min(max(at if at >= 0 else len(content) + at, 0), len(content))
        length = draw(st.integers(1, 40))
        match draw(st.integers(0, 5)):
            case 0 if at < len(content):
                content[at] ^= 1 << draw(st.integers(0, 7))
            case 1 if at < len(content):
                content[at] = draw(st.integers(0, 255))
            case 2:
                del content[at : at + length]
            case 3:
                content[at:at] = content[at : at + length] * draw(st.integers(1, 50))
            case 4:
                content[at:at] = draw(st.one_of(PIECES, st.binary(max_size=40)))
            case _:
                del content[at:]
    return bytes(content)


@st.composite
def altered_json(draw: st.DrawFn, seeds: Sequence[Any]) -> bytes:
    """A JSON document in which values are others, gone, one level deeper or in each other's place."""
    document = [copy.deepcopy(draw(st.sampled_from(seeds)))]
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 4]))):
        places = list(_places(document))
        holder, key = draw(st.sampled_from(places))
        match draw(st.integers(0, 5)):
            case 0:
                other, its_key = draw(st.sampled_from(places))
                holder[key] = copy.deepcopy(other[its_key])
            case 1 if holder is not document:
                del holder[key]
            case 2:
                holder[key] = draw(st.sampled_from([[holder[key]], {"a": holder[key]}, [holder[key]] * 3]))
            case 3 if isinstance(holder, dict):
                holder[draw(st.one_of(st.sampled_from(["", "\ud800", "*", "9" * 30]), st.text(max_size=8)))] = holder[
                    key
                ]
            case _:
                holder[key] = copy.deepcopy(draw(st.sampled_from(_VALUES)))
    return json.dumps(document[0]).encode()


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every value below, by what holds it and its name or number there."""
    for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


@st.composite
def altered_toml(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """A TOML document in which values are others, and lines gone, twice, or elsewhere."""
    lines = draw(st.sampled_from(seeds)).decode().splitlines()
    for _ in range(draw(st.sampled_from([0, 1, 1, 1, 2, 4]))):
        if not lines:
            break
        at = draw(st.integers(0, len(lines) - 1))
        match draw(st.integers(0, 4)):
            case 0:
                del lines[at]
            case 1:
                lines.insert(draw(st.integers(0, len(lines))), lines[at])
            case _:
                key, equals, _ = lines[at].partition("=")
                lines[at] = f"{key}{equals} {draw(st.sampled_from(_TOML_VALUES))}" if equals else lines[at]
    return "\n".join(lines).encode()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip in memory."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def parquet(columns: Mapping[str, Sequence[object]], **how: Any) -> bytes:
    """A Parquet file in memory."""
    target = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), target, **how)
    return target.getvalue()


def database(folder: Path, *statements: str) -> bytes:
    """A DuckDB file's bytes."""
    path = folder / "seed.duckdb"
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)
    content = path.read_bytes()
    path.unlink()
    return content


def compressed(plain: st.SearchStrategy[bytes], name: str) -> st.SearchStrategy[bytes]:
    """Hostile content, as it is or packed well."""
    return st.one_of(
        plain,
        plain.map(gzip.compress),
        plain.map(lambda content: zipped({name: content})),
        st.tuples(plain, plain).map(lambda two: zipped({f"1-{name}": two[0], f"deep/2-{name}": two[1]})),
    )


def named(names: Sequence[str], content: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Hostile content behind one byte that says which of the names its file has (`split`)."""
    return st.tuples(st.integers(0, len(names) - 1), content).map(lambda drawn: bytes([drawn[0]]) + drawn[1])


def split(names: Sequence[str], content: bytes) -> tuple[str, bytes]:
    """The name and the content again."""
    return names[content[0] % len(names)] if content else names[0], content[1:]


def ndjson(*values: object) -> bytes:
    """Lines of JSON."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def without_comments(toml: str) -> bytes:
    """A TOML document without its comments, which say nothing to a reader."""
    return re.sub(r"(?m)\s+#.*$|^#.*$", "", toml).strip().encode()
