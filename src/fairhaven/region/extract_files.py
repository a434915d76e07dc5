"""Files of a delivery, written block by block: DuckDB makes the bytes, this appends them."""

import codecs
import gzip
import shutil
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import duckdb

from fairhaven.engine.sql import literal

_CHUNK = 1 << 20


class ExtractFiles(AbstractContextManager["ExtractFiles"]):
    """Open files of the deliveries.

    A query's rows are written to a part by DuckDB and the part is appended, so that memory holds no rows and a file may grow
    over any number of blocks. Names that end in ``.gz`` are compressed, with no time in the header: equal rows give equal bytes.

    Args:
        connection: where queries run.
        scratch: folder for parts.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, scratch: Path) -> None:
        self._connection = connection
        self._part = scratch / "part"
        self._open: dict[Path, Any] = {}
        self._closing = ExitStack()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every file; one that is written to again is opened again at its end."""
        self._open.clear()
        self._closing.close()

    def table(self, path: Path, query: str, columns: str, *, delimiter: str = ",", encoding: str = "utf-8") -> None:
        """Append a query's rows as delimited text, below a line of *columns* (comma-separated here) where the file is new."""
        file = self._file(path)
        if file.tell() == 0:
            file.write((columns.replace(",", delimiter) + "\n").encode(encoding))
        self._connection.execute(
            f"COPY ({query}) TO {literal(self._part)} (FORMAT csv, HEADER false, DELIMITER {literal(delimiter)}, NULL '')"
        )
        self._append(file, encoding)

    def lines(self, path: Path, query: str) -> None:
        """Append a query's only column as lines, untouched."""
        # A delimiter that no line holds, and no quotes: the line comes out as it went in.
        self._connection.execute(
            f"COPY ({query}) TO {literal(self._part)} (FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE '')"
        )
        if self._part.stat().st_size or path.exists():
            self._append(self._file(path), "utf-8")

    def text(self, path: Path, text: str, encoding: str = "utf-8") -> None:
        """Append text as it is."""
        self._file(path).write(text.encode(encoding))

    def _file(self, path: Path) -> Any:
        if path not in self._open:
            path.parent.mkdir(parents=True, exist_ok=True)
            raw = self._closing.enter_context(path.open("ab"))
            is_packed = path.suffix == ".gz"
            self._open[path] = self._closing.enter_context(gzip.GzipFile("", "wb", 4, raw, 0)) if is_packed else raw
        return self._open[path]

    def _append(self, file: Any, encoding: str) -> None:
        with self._part.open("rb") as part:
            content = part if encoding == "utf-8" else codecs.EncodedFile(part, encoding, "utf-8")
            shutil.copyfileobj(content, file, _CHUNK)
