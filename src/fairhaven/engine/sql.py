"""Names and values as SQL text, for what DuckDB takes no bound parameter for: columns, files, options, definitions of views."""

import re
from pathlib import Path


def identifier(name: str) -> str:
    """A column or table name, in double quotes."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | Path) -> str:
    """A text, or the path of a file to write, in single quotes."""
    quoted = "'" + str(text).replace("'", "''") + "'"
    # DuckDB's parser takes a NUL for the end of the statement.
    return "(" + quoted.replace("\0", "' || chr(0) || '") + ")" if "\0" in quoted else quoted


def literals(*texts: str) -> str:
    """Texts in single quotes, with commas between them."""
    return ", ".join(map(literal, texts))


def file(path: Path) -> str:
    """A file to read, in single quotes; see `plain`."""
    return literal(plain(path))


def parquet(*paths: Path, is_parted: bool = False) -> str:
    """Parquet files as a relation; columns that a file lacks are NULL there.

    Args:
        is_parted: folders may hold columns (Hive's ``year=2020``).
    """
    parted = ", hive_partitioning => true" if is_parted and any("=" in path.parent.name for path in paths) else ""
    return f"read_parquet([{', '.join(map(file, paths))}], union_by_name => true{parted})"


def plain(path: Path) -> str:
    """A path to read, its own ``*?[`` kept from being a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))
