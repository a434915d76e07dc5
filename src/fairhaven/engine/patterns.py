"""Regular expressions: what the engines both know, and how one that RE2 reads (DuckDB's) is written for Java's (Spark's) and Rust's (Sail's).

Checked here and not by an engine, because an engine says only what it lacks itself, and what two of them read differently
(``[[:alpha:]]``, ``a{,3}``, ``[a&&b]``) none of them says. What can be said in other words is not refused but written in them for Spark
(`written_out`): of ``(?i)``, ``.``, ``$``, ``\\d``, ``\\w``, ``\\s`` and ``\\b`` each engine has a meaning of its own beyond ASCII or at the end
of a line. Sources: the syntax of RE2 (google/re2, ``doc/syntax.txt``), java.util.regex.Pattern, and the syntax of Rust's regex.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

_LONGEST = 1_000
_DEEPEST = 50
_MOST_REPEATS = 1_000
"""Of one part, with those around it (RE2)."""
_LARGEST = 10_000
"""Characters that a pattern is of when its repeats are written out; RE2 gives up on much larger ones."""
_CATEGORY = re.compile(r"[pP](?:\{(?:L[ultmo]?|M[nce]?|N[dlo]?|P[cdseifo]?|S[mcko]?|Z[slp]?|C[co])\}|[LMNPSZ])")
_OF_A_CATEGORY = 100
_HEX = re.compile(r"x(?:[0-9A-Fa-f]{2}|\{[0-9A-Fa-f]{1,5}\})")
_REPEAT = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_FLAGS = re.compile(r"\(\?(?:[is]{0,2}:|[is]{1,2}\))")
_CLASSES, _ANCHORS = frozenset("dDwWsS"), frozenset("bAz")
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
_DIGITS, _LETTERS = ((0x30, 0x39),), ((0x41, 0x5A), (0x61, 0x7A))
_RANGES = {"d": _DIGITS, "w": (*_DIGITS, *_LETTERS, (0x5F, 0x5F)), "s": ((9, 10), (12, 13), (32, 32))}
_LAST = 0x10FFFF
_ASCII_FOLDS = {ord("s"): (0x17F,), ord("S"): (0x17F,), ord("k"): (0x212A,), ord("K"): (0x212A,)}
"""What ASCII letters are beside their capitals where case is ignored: the long s, and the sign of the kelvin."""

_Ranges = tuple[tuple[int, int], ...]

RUST_EDGE = r"(?-u:\b)"
"""Where a word of ASCII begins or ends, as Rust writes it."""

JAVA_EDGE = "(?:(?<![0-9A-Za-z_])(?=[0-9A-Za-z_])|(?<=[0-9A-Za-z_])(?![0-9A-Za-z_]))"
"""The same for Java, whose own word boundary is of Unicode until Java 19."""

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


def written_out(expression: str, *, edge: str) -> str:
    """The pattern in words that Java and Rust read as RE2 reads *expression*.

    Args:
        edge: how the engine writes the edge of a word of ASCII.

    Raises:
        ValueError: `pattern_fault` says why.
    """
    pattern = _Pattern(expression, edge=edge)
    try:
        pattern.read()
    except _FaultError as fault:
        raise ValueError(f"a pattern {fault}") from None
    return "".join(pattern.written)


def _complement(ranges: _Ranges) -> _Ranges:
    """All other characters."""
    found, begin = [], 0
    for first, last in sorted(ranges):
        if first > begin:
            found.append((begin, first - 1))
        begin = max(begin, last + 1)
    return (*found, (begin, _LAST)) if begin <= _LAST else tuple(found)


@cache
def _folds() -> Mapping[int, tuple[int, ...]]:
    """For each character that has other cases all of them (simple case folding, as RE2 does)."""
    families = defaultdict(list)
    for code in range(_LAST + 1):
        character = chr(code)
        folded = next((one for one in (character.casefold(), character.lower()) if len(one) == 1), character)
        if folded != character:
            families[ord(folded)].append(code)
    return {code: (folded, *others) for folded, others in families.items() for code in (folded, *others)}


def _any_case(ranges: _Ranges) -> _Ranges:
    """The characters with all their cases."""
    if all(last < 0x80 for _, last in ranges):  # Most are: looking through all of Unicode takes time.
        folded = [
            (code, code)
            for first, last in ranges
            for letter in range(first, last + 1)
            if chr(letter).isalpha()
            for code in (letter ^ 0x20, *_ASCII_FOLDS.get(letter, ()))
        ]
        return (*ranges, *folded)
    folded = [
        (code, code)
        for one, family in _folds().items()
        if any(first <= one <= last for first, last in ranges)
        for code in family
    ]
    return (*ranges, *folded)


def _class(ranges: Iterable[tuple[int, int]], categories: Iterable[str] = (), *, is_negated: bool = False) -> str:
    """One character between square brackets, in numbers, so that no mark can mean anything."""
    members = "".join(f"\\x{{{first:X}}}-\\x{{{last:X}}}" for first, last in sorted(set(ranges)))
    return f"[{'^' if is_negated else ''}{members}{''.join(categories)}]"


class _Pattern:
    """Reads a pattern from left to right, as its grammar goes: alternatives of parts, each perhaps repeated.

    Args:
        edge: see `written_out`.
    """

    def __init__(self, text: str, *, edge: str = RUST_EDGE) -> None:
        self._text = text
        self._at = 0
        self._edge = edge
        self._flags = ""
        self.written: list[str] = []
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
        size, repeats, flags = 0, 1, self._flags
        while self._at < len(self._text) and not self._is_next(")"):
            if self._takes("|"):
                self.written.append("|")
                continue
            part = self._repeated(self._part(depth))
            size, repeats = size + part.size, max(repeats, part.repeats)
        self._flags = flags
        return _Part(size=size, repeats=repeats)

    def _part(self, depth: int) -> _Part | None:
        """One part; None where it is a place, which cannot be repeated."""
        character = self._text[self._at]
        match character:
            case "(":
                flags = self._flags
                if not self._opened():
                    return None
                inside = self._alternatives(depth + 1)
                if not self._takes(")"):
                    raise _FaultError("has a bracket that is never closed")
                self._flags = flags
                self.written.append(")")
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
        if character in "^$":
            self.written.append("^" if character == "^" else "\\z")
            return None
        if character == ".":
            self.written.append(_class(((0, _LAST),) if "s" in self._flags else ((0, 9), (11, _LAST))))
        else:
            self._write((ord(character), ord(character)))
        return _Part()

    def _write(self, *ranges: tuple[int, int]) -> None:
        """One character of these."""
        found = tuple(sorted(set(_any_case(ranges) if "i" in self._flags else ranges)))
        one = chr(found[0][0]) if len(found) == 1 and found[0][0] == found[0][1] else ""
        self.written.append(one if one and (one.isalnum() or one in "_ ") else _class(found))

    def _opened(self) -> bool:
        """Behind what opens a group; False where it only sets how what follows is read."""
        for begins, what in _GROUPS.items():
            if self._text.startswith(begins, self._at):
                raise _FaultError(f"has {what} ({begins}), {_UNKNOWN}")
        if found := _FLAGS.match(self._text, self._at):
            self._at = found.end()
            self._flags += found[0]
            is_group = found[0].endswith(":")
            self.written.append("(?:" if is_group else "")
            return is_group
        if self._text.startswith("(?", self._at):
            raise _FaultError(f"has a group that begins with {self._text[self._at : self._at + 3]}, {_UNKNOWN}")
        self._at += 1
        self.groups += 1
        self.written.append("(")
        return True

    def _repeated(self, part: _Part | None) -> _Part:
        if not (self._at < len(self._text) and self._text[self._at] in "*+?{"):
            return part or _Part(size=0)
        if part is None:
            raise _FaultError("repeats a place (^, $, \\b) that holds no character")
        begin, times = self._at, self._times()
        if self._is_next("+"):
            raise _FaultError(f"has a possessive repeat, {_UNKNOWN}")
        self._takes("?")
        self.written.append(self._text[begin : self._at])
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
        if character in _ANCHORS:
            self._at += 2
            self.written.append(self._edge if character == "b" else f"\\{character}")
            return None
        ranges, category = self._escaped_characters()
        if category:
            self.written.append(_class(self._folded(category), (category,)))
            return _Part(size=_OF_A_CATEGORY)
        self._write(*ranges)
        return _Part()

    def _escaped_characters(self) -> tuple[_Ranges, str]:
        """The characters that an escape stands for, or the category of Unicode."""
        character = self._text[self._at + 1 : self._at + 2]
        if found := _CATEGORY.match(self._text, self._at + 1):
            self._at = found.end()
            return (), f"\\{found[0][0]}{{{found[0][1:].strip('{}')}}}"
        if found := _HEX.match(self._text, self._at + 1):
            self._at = found.end()
            return self._one(int(found[0][1:].strip("{}"), 16)), ""
        if character.isdigit():
            raise _FaultError(f"refers back to a group (\\{character}), {_UNKNOWN}")
        is_mark = character.isascii() and character.isprintable() and not character.isalpha()
        if not character or not (is_mark or character in _CLASSES | _WRITTEN.keys()):
            raise _FaultError(f"has \\{character}, {_UNKNOWN}")
        self._at += 2
        if character not in _CLASSES:
            return self._one(ord(_WRITTEN.get(character, character))), ""
        ranges = _RANGES[character.lower()]
        if character.islower():
            return ranges, ""
        return _complement(_any_case(ranges) if "i" in self._flags else ranges), ""

    def _one(self, code: int) -> _Ranges:
        return ((code, code),)

    def _folded(self, category: str) -> _Ranges:
        """What letters are beside themselves where case is ignored; a category that has case is read in two ways."""
        if "i" not in self._flags:
            return ()
        if category == "\\p{L}":
            return ((0x345, 0x345),)  # The iota below, a mark that is an iota's other case.
        if category[3] in "LM":
            raise _FaultError(f"has {category} where case is ignored, {_UNKNOWN}")
        return ()

    def _bracketed(self) -> _Part:
        """``[a-z0-9]``. What Java reads as a class within a class, and the places where - and ] are read in two ways, are refused."""
        self._at += 1
        is_negated = self._takes("^")
        size = 0
        ranges: list[tuple[int, int]] = []
        categories: list[str] = []
        if self._is_next("]"):
            raise _FaultError("has nothing in square brackets (write \\] for the character)")
        while not self._takes("]"):
            members, category = self._member()
            if category:
                categories.append(category)
                members = self._folded(category)
            size += _OF_A_CATEGORY if category else 1
            if self._is_next("-") and not self._text.startswith("-]", self._at):
                self._at += 1
                last, other = self._member()
                is_range = len(members) == len(last) == 1 and not category and not other
                if not is_range or members[0][0] != members[0][1] or last[0][0] != last[0][1] or members > last:
                    raise _FaultError("has a range in square brackets that does not rise (write \\- for the character)")
                members = ((members[0][0], last[0][0]),)
                size += 1
            ranges += _any_case(members) if "i" in self._flags else members
        self.written.append(_class(ranges, categories, is_negated=is_negated))
        return _Part(size=1 + size // _OF_A_CATEGORY * _OF_A_CATEGORY)

    def _member(self) -> tuple[_Ranges, str]:
        """The characters that one member of square brackets stands for, or the category."""
        character = self._text[self._at : self._at + 1]
        if character == "[" or self._text.startswith("&&", self._at):
            raise _FaultError(
                f"has {self._text[self._at : self._at + 2]} in square brackets, {_UNKNOWN} (write \\{character} for the character)"
            )
        if character == "\\":
            if self._text[self._at + 1 : self._at + 2] in _ANCHORS:
                raise _FaultError(f"has {self._text[self._at : self._at + 2]} in square brackets, {_UNKNOWN}")
            return self._escaped_characters()
        if not character:
            raise _FaultError("has a square bracket that is never closed")
        if character < " ":
            raise _FaultError("holds a character that cannot be seen")
        self._at += 1
        return self._one(ord(character)), ""

    def _is_next(self, character: str) -> bool:
        return self._text.startswith(character, self._at)

    def _takes(self, character: str) -> bool:
        if self._is_next(character):
            self._at += len(character)
            return True
        return False
