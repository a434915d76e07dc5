"""An explanation as data, and as text for a terminal or Markdown."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplanationLine:
    """A statement, and the statements that belong below it."""

    text: str
    below: tuple["ExplanationLine", ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ExplanationPart:
    """Statements under a heading.

    Args:
        is_numbered: the statements are steps, one after another.
    """

    title: str
    lines: tuple[ExplanationLine, ...]
    is_numbered: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Explanation:
    """A cohort definition in words.

    Args:
        name: its own name; empty where it has none.
        sentence: who is in the cohort.
        parts: who enters, the rules, how long a stay lasts, the concept sets, how to read it.
    """

    name: str
    sentence: str
    parts: tuple[ExplanationPart, ...]

    def as_text(self, width: int = 88) -> str:
        """For a terminal, lines no longer than *width* columns (a single word excepted)."""
        blocks = [textwrap.fill(self.sentence, width, break_long_words=False, break_on_hyphens=False)]
        if self.name:
            blocks.insert(0, " ".join(self.name.split()))
        blocks += ["\n".join((part.title.upper(), *_wrapped(part, width))) for part in self.parts]
        return "\n\n".join(blocks) + "\n"

    def as_markdown(self, heading: int = 1) -> str:
        """Markdown, whose highest heading is of the level given."""
        blocks = [f"{'#' * heading} {_escaped(self.name)}"] if self.name else []
        blocks.append(_escaped(self.sentence))
        for part in self.parts:
            blocks.append(f"{'#' * (heading + 1)} {part.title}")
            blocks.append("\n".join(_bullets(part)))
        return "\n\n".join(blocks) + "\n"


def _wrapped(part: ExplanationPart, width: int) -> Iterator[str]:
    for mark, depth, line in _marked(part):
        indent = "  " * depth + " " * len(mark)
        yield textwrap.fill(
            line.text,
            max(width, len(indent) + 30),
            initial_indent="  " * depth + mark,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )


def _bullets(part: ExplanationPart) -> Iterator[str]:
    width = 3 if part.is_numbered else 2
    for mark, depth, line in _marked(part):
        indent = "" if not depth else " " * (width + 2 * (depth - 1))
        yield f"{indent}{mark.strip()} {_escaped(line.text)}"


def _marked(part: ExplanationPart) -> Iterator[tuple[str, int, ExplanationLine]]:
    """Each line with its mark and depth."""

    def below(lines: tuple[ExplanationLine, ...], depth: int) -> Iterator[tuple[str, int, ExplanationLine]]:
        for line in lines:
            yield "- ", depth, line
            yield from below(line.below, depth + 1)

    for number, line in enumerate(part.lines, start=1):
        yield (f"{number}. " if part.is_numbered else "- "), 0, line
        yield from below(line.below, 1)


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return "".join(
        f"\\{character}" if character in "\\`*_[]<>#|" else character for character in " ".join(text.split())
    )
