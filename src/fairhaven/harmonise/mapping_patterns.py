"""Regular expressions of mapping files: what RE2 (DuckDB's) and Java (Spark's) both know and read alike.

Checked here and not by an engine, because an engine says only what it lacks itself, and what two of them read differently
(``[[:alpha:]]``, ``a{,3}``, ``[a&&b]``) none of them says. Sources: the syntax of RE2 (google/re2, ``doc/syntax.txt``) and
java.util.regex.Pattern.
"""

import re
from dataclasses import dataclass

_LONGEST = 1_000
_DEEPEST = 50
_MOST_REPEATS = 1_000
"""Of one part, with those around it (RE2)."""
_LARGEST = 10_000
"""Characters that a pattern is of when its repeats are written out; RE2 gives up on much larger ones."""
_CATEGORY = re.compile(r"[pP](?:\{(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[co]?)\}|[LMNPSZC])")
_OF_A_CATEGORY = 100
_HEX = re.compile(r"x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,5}\})")
_REPEAT = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_FLAGS = re.compile(r"\(\?(?:[is]{0,2}:|[is]{1,2}\))")
_CLASSES, _ANCHORS = frozenset("dDwWsS"), frozenset("bBAz")
_WRITTEN = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_GROUPS = {
    "(?=": "a lookahead",
    "(?!": "a lookahead",
    "(?<=": "a lookbehind",
    "(?<!": "a lookbehind",
    "(?>": "an atomic group",
    "(?(": "a condition",
    "(?#": "a comment",
    "(?P": "a name of a group",
    "(?<": "a name of a group",
    "(?|": "a numbering of groups of its own",
}
_UNKNOWN = "which the engine of patterns (RE2) does not know, or Spark's reads otherwise"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """A part of a pattern.

    Args:
        size: characters when its repeats are written out.
        repeats: how often something in it is repeated at most.
    """

    size: int = 1
    repeats: int = 1


class _FaultError(Exception):
    """What is wrong with a pattern, in words."""


def pattern_fault(expression: str, *, needs_group: bool) -> str:
    """Why a pattern cannot be used; empty where it can.

    Args:
        needs_group: the first group in round brackets is the value.
    """
    pattern = _Pattern(expression)
    try:
        pattern.read()
    except _FaultError as fault:
        return f"is a regular expression that {fault}"
    if needs_group and not pattern.groups:
        return "must have a group in round brackets: what it catches is the value"
    return ""


class _Pattern:
    """Reads a pattern from left to right, as its grammar goes: alternatives of parts, each perhaps repeated."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.groups = 0

    def read(self) -> None:
        if len(self._text) > _LONGEST:
            raise _FaultError(f"has more than {_LONGEST:,} characters, or is nested too deeply")
        whole = self._alternatives(0)
        if self._at < len(self._text):
            raise _FaultError("has a closing bracket too many")
        if whole.size > _LARGEST:
            raise _FaultError("repeats too often what is long")

    def _alternatives(self, depth: int) -> _Part:
        if depth > _DEEPEST:
            raise _FaultError("is nested too deeply")
        size, repeats = 0, 1
        while self._at < len(self._text) and not self._is_next(")"):
            if self._takes("|"):
                continue
            part = self._repeated(self._part(depth))
            size, repeats = size + part.size, max(repeats, part.repeats)
        return _Part(size=size, repeats=repeats)

    def _part(self, depth: int) -> _Part | None:
        """One part; None where it is a place, which cannot be repeated."""
        character = self._text[self._at]
        match character:
            case "(":
                if not self._opened():
                    return None
                inside = self._alternatives(depth + 1)
                if not self._takes(")"):
                    raise _FaultError("has a bracket that is never closed")
                return inside
            case "[":
                return self._bracketed()
            case "\\":
                return self._escaped()
            case "*" | "+" | "?" | "{":
                raise _FaultError(f"has a {character} that repeats nothing (write \\{character} for the character)")
        self._at += 1
        if character < " " and character not in "\t\n\r":
            raise _FaultError("holds a character that cannot be seen")
        return None if character in "^$" else _Part()

    def _opened(self) -> bool:
        """Behind what opens a group; False where it only sets how what follows is read."""
        for begins, what in _GROUPS.items():
            if self._text.startswith(begins, self._at):
                raise _FaultError(f"has {what} ({begins}), {_UNKNOWN}")
        if found := _FLAGS.match(self._text, self._at):
            self._at = found.end()
            return found[0].endswith(":")
        if self._text.startswith("(?", self._at):
            raise _FaultError(f"has a group that begins with {self._text[self._at : self._at + 3]}, {_UNKNOWN}")
        self._at += 1
        self.groups += 1
        return True

    def _repeated(self, part: _Part | None) -> _Part:
        if not (self._at < len(self._text) and self._text[self._at] in "*+?{"):
            return part or _Part(size=0)
        if part is None:
            raise _FaultError("repeats a place (^, $, \\b) that holds no character")
        times = self._times()
        if self._is_next("+"):
            raise _FaultError(f"has a possessive repeat, {_UNKNOWN}")
        self._takes("?")
        if self._at < len(self._text) and self._text[self._at] in "*+?{":
            raise _FaultError("repeats a repeat; put it in brackets, (?:...)")
        if part.repeats * times > _MOST_REPEATS:
            raise _FaultError(f"repeats too often (more than {_MOST_REPEATS:,} times)")
        return _Part(size=part.size * max(times, 1), repeats=part.repeats * max(times, 1))

    def _times(self) -> int:
        """How often a repeat writes its part out."""
        if not self._is_next("{"):
            self._at += 1
            return 1
        found = _REPEAT.match(self._text, self._at)
        if not found:
            raise _FaultError(
                "has a { that is no number of repeats like {2}, {2,} or {2,3} (write \\{ for the character)"
            )
        least, most = int(found[1]), int(found[3] or found[1])
        if least > most:
            raise _FaultError("repeats at least more often than at most")
        self._at = found.end()
        return most

    def _escaped(self) -> _Part | None:
        character = self._text[self._at + 1 : self._at + 2]
        if found := _CATEGORY.match(self._text, self._at + 1):
            self._at = found.end()
            return _Part(size=_OF_A_CATEGORY)
        if found := _HEX.match(self._text, self._at + 1):
            self._at = found.end()
            return _Part()
        if character.isdigit():
            raise _FaultError(f"refers back to a group (\\{character}), {_UNKNOWN}")
        is_mark = character.isascii() and character.isprintable() and not character.isalpha()
        if not character or not (is_mark or character in _CLASSES | _ANCHORS | _WRITTEN.keys()):
            raise _FaultError(f"has \\{character}, {_UNKNOWN}")
        self._at += 2
        return None if character in _ANCHORS else _Part()

    def _bracketed(self) -> _Part:
        """``[a-z0-9]``. What Java reads as a class within a class, and the places where - and ] are read in two ways, are refused."""
        self._at += 1
        self._takes("^")
        size = 0
        if self._is_next("]"):
            raise _FaultError("has nothing in square brackets (write \\] for the character)")
        while not self._takes("]"):
            first, cost = self._member()
            size += cost
            if self._is_next("-") and not self._text.startswith("-]", self._at):
                self._at += 1
                last, _ = self._member()
                if first is None or last is None or first > last:
                    raise _FaultError("has a range in square brackets that does not rise (write \\- for the character)")
        return _Part(size=1 + size // _OF_A_CATEGORY * _OF_A_CATEGORY)

    def _member(self) -> tuple[str | None, int]:
        """A character between square brackets, or None for a class, and what it costs."""
        character = self._text[self._at : self._at + 1]
        if character == "[" or self._text.startswith("&&", self._at):
            raise _FaultError(
                f"has {self._text[self._at : self._at + 2]} in square brackets, {_UNKNOWN} (write \\{character} for the character)"
            )
        if character != "\\":
            if not character or character < " ":
                raise _FaultError(
                    "has a square bracket that is never closed"
                    if not character
                    else "holds a character that cannot be seen"
                )
            self._at += 1
            return character, 1
        begin = self._at
        part = self._escaped()
        if part is None:
            raise _FaultError(f"has {self._text[begin : self._at]} in square brackets, {_UNKNOWN}")
        written = self._text[begin + 1 : self._at]
        if written[0] in _CLASSES or part.size > 1:
            return None, part.size
        if written[0] == "x" and len(written) > 1:
            return chr(int(written[1:].strip("{}"), 16)), 1
        return _WRITTEN.get(written, written), 1

    def _is_next(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    def _takes(self, character: str) -> bool:
        if self._is_next(character):
            self._at += len(character)
            return True
        return False
