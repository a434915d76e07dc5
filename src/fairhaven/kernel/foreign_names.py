"""How a name that somebody else chose is shown: a file's, a column's, a version's, a concept's.

Such a name may hold what moves a terminal's cursor, ends a line, or turns the direction of writing, so that a receipt or
a page says what nobody wrote (Unicode TR36; CVE-2021-42574).
"""

import json
import re

_LINES = re.compile("[\t\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
"""Controls but tab and newline, marks of direction, separators of lines, halves of characters."""

_REPLACEMENT = "\ufffd"


def shown(name: str) -> str:
    """A foreign name as one harmless line."""
    return harmless(_LINES.sub(" ", name))


def harmless(text: str) -> str:
    """A text with its lines, in which nothing does anything to a terminal or a reader's eye."""
    return _CONTROL.sub(_REPLACEMENT, text)


def harmless_json(document: str) -> str:
    """A JSON document that says the same and shows nothing of that kind as such; half a character stays an escape, too."""
    return _CONTROL.sub(lambda found: json.dumps(found[0])[1:-1], document)
