"""What a command says: results on stdout, words and progress on stderr."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from fairhaven.kernel.codec import to_json
from fairhaven.kernel.foreign_names import harmless_json, shown

if TYPE_CHECKING:
    import pyarrow as pa

    from fairhaven.kernel.outputs import Output

R = TypeVar("R")
F = TypeVar("F")

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
        self._title = escape(shown(title))
        self._task = self._bar.add_task(self._title, total=None, amount="")
        self._show_when_due()

    def advance(self, done: int, total: int, unit: str) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=done, total=total or None, amount=f"{done:,} of {total:,} {unit}")
        self._show_when_due()

    def note(self, message: str) -> None:
        """A line that stays."""
        note(message)

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


class Screen(Generic[R]):
    """Where a command shows its result, of type R: in words for a person, or as JSON.

    Args:
        as_json: the result is for a machine.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.progress = ScreenProgress()

    def show(self, result: R, words: Iterable[str | Table], *, is_good: bool = True) -> None:
        """Show what came of the command.

        Args:
            words: lines and tables for a person; not made where a machine reads. A line stays one, whatever a name in
                it holds.
            is_good: false ends the command with exit code 1: a check failed, something was found altered.
        """
        self.progress.close()
        if self.as_json:
            show_json(result)
        else:
            for part in words:
                results.print(shown(part) if isinstance(part, str) else part, markup=False)
        if not is_good:
            raise typer.Exit(1)

    def write_page(self, out: "Output", render: Callable[[F], str], facts: F) -> None:
        """Draw a page into a file."""
        self.progress.stage("Drawing the page")
        out.write(render(facts))


def show_json(value: object) -> None:
    """One JSON document on stdout; by now the act is done, so no number in its result may make it fail."""
    document = json.dumps(to_json(value, is_strict=True), indent=1, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(harmless_json(document) + "\n")
    sys.stdout.flush()


def note(message: str) -> None:
    """A line on stderr that the person at the keyboard should see and that is no fault of the command."""
    words.print(shown(message), style="yellow", markup=False)


def say(heading: str, lines: Iterable[object] = ()) -> None:
    """Words on stderr for the person at the keyboard."""
    words.print(heading, style="bold red", markup=False)
    for line in lines:
        words.print(f"  {shown(str(line))}", markup=False)


@contextmanager
def csv_writer(schema: "pa.Schema") -> Iterator[Callable[["pa.Table"], None]]:
    """A writer of tables as CSV, with a heading, on stdout."""
    import pyarrow.csv as pc

    with pc.CSVWriter(sys.stdout.buffer, schema) as writer:
        yield writer.write_table


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table for a person; whole numbers stand to the right with thousands marked."""
    made = Table(
        title=Text(shown(title)) if title else None, title_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    listed = [list(row) for row in rows]
    for index, column in enumerate(columns):
        is_number = bool(listed) and all(isinstance(row[index], int | float) or row[index] is None for row in listed)
        made.add_column(Text(shown(column)), justify="right" if is_number else "left", overflow="fold")
    for row in listed:
        # As texts, in which the brackets of a name mean nothing.
        made.add_row(*(Text(shown(_cell(value))) for value in row))
    return made


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
