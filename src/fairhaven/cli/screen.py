"""What a command says: results on stdout, words and progress on stderr, exit codes."""

import dataclasses
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table

from fairhaven.cli.storage_errors import storage_fault
from fairhaven.kernel.errors import FairhavenError, Invalid

if TYPE_CHECKING:
    import pyarrow as pa

DONE, REFUSED, USAGE = 0, 1, 2
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What moves a terminal's cursor, changes its colours or turns the direction of writing."""

_PATIENCE = 1.0  # seconds; what ends sooner shows no progress

words = Console(stderr=True, highlight=False, soft_wrap=True)
# What is not a terminal has no width to keep to.
results = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)


class ScreenProgress:
    """Progress drawn on stderr, from the moment a command has taken longer than a second."""

    def __init__(self) -> None:
        self._bar = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[amount]}"),
            TimeElapsedColumn(),
            console=words,
            transient=True,
            disable=not words.is_terminal,  # where nothing can be drawn over, the ticked stages are enough
        )
        self._task: TaskID | None = None
        self._began = time.monotonic()
        self._is_shown = False

    def stage(self, title: str) -> None:
        """A new line for a new stage; the one before is ticked off."""
        self._finish_stage()
        # A file's name may hold brackets.
        self._title = escape(_harmless(title))
        self._task = self._bar.add_task(self._title, total=None, amount="")
        self._show_when_due()

    def advance(self, done: int, total: int, unit: str) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, amount=f"{done:,} of {total:,} {unit}")
        self._show_when_due()

    def note(self, message: str) -> None:
        """A line that stays."""
        words.print(_harmless(message), style="yellow", markup=False)

    def close(self, *, is_done: bool = True) -> None:
        """Stop drawing; a stage that failed is not ticked off."""
        self._finish_stage(is_done=is_done)
        if self._is_shown:
            self._bar.stop()

    def _finish_stage(self, *, is_done: bool = True) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            if self._is_shown and is_done:
                words.print(f"[green]✓[/] {self._title}")
            self._task = None

    def _show_when_due(self) -> None:
        if not self._is_shown and time.monotonic() - self._began > _PATIENCE:
            self._bar.start()
            self._is_shown = True


@contextmanager
def progress() -> Iterator[ScreenProgress]:
    """Progress for the length of a command."""
    drawn = ScreenProgress()
    try:
        yield drawn
    except BaseException:
        drawn.close(is_done=False)
        raise
    drawn.close()


def say(message: str) -> None:
    """A line on stderr for the person at the keyboard."""
    words.print(_harmless(message), markup=False)


def _harmless(text: str) -> str:
    """A text whose control characters (a name in somebody's file may hold some) do nothing to the terminal."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def show_json(value: Any) -> None:
    """The result, for a machine."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    """A noun as plain JSON: dataclasses by field, sets and tuples as lists, dates and enums as text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


@contextmanager
def csv_writer(schema: "pa.Schema") -> Iterator[Callable[["pa.Table"], None]]:
    """A writer of tables as CSV, with a heading, on stdout."""
    import pyarrow.csv as pc

    with pc.CSVWriter(sys.stdout.buffer, schema) as writer:
        yield writer.write_table


def show_lines(lines: Iterable[str]) -> None:
    """The result, for a person."""
    for line in lines:
        results.print(_harmless(line), markup=False)


def show_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """The result as a table; whole numbers stand to the right with thousands marked."""
    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    listed = [list(row) for row in rows]
    for index, column in enumerate(columns):
        is_number = bool(listed) and all(isinstance(row[index], int | float) or row[index] is None for row in listed)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        # A name may hold brackets.
        table.add_row(*(escape(_harmless(_cell(value))) for value in row))
    results.print(table)


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}"
        case _:
            return str(value)


@contextmanager
def errors_become_exit_codes(*, as_json: bool) -> Iterator[None]:
    """The one place where an error of Fairhaven becomes words and an exit code."""
    try:
        yield
    except FairhavenError as error:
        faults = [str(fault) for fault in error.faults] if isinstance(error, Invalid) else str(error).splitlines()
        if as_json:
            show_json({"error": type(error).__name__, "faults": faults})
        heading = (
            f"{len(faults)} faults" if len(faults) > 1 else "Refused" if not isinstance(error, Invalid) else "Fault"
        )
        words.print(f"[bold red]{heading}[/]")
        for fault in faults:
            words.print(f"  {_harmless(fault)}", markup=False)
        raise typer.Exit(REFUSED) from None
    except KeyboardInterrupt:
        words.print("Interrupted. What was finished is kept; run the same command again to go on.")
        raise typer.Exit(REFUSED) from None
    except Exception as error:
        # A full disk, a folder without leave, a lost file: what libraries say of it may hold rows, so it is said anew.
        if (said := storage_fault(error)) is None:
            raise
        if as_json:
            show_json({"error": "Refused", "faults": [said]})
        words.print("[bold red]Refused[/]")
        words.print(f"  {said}", markup=False)
        raise typer.Exit(REFUSED) from None
