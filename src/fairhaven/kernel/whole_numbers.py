"""Whole numbers in texts that somebody else wrote: Python takes more for digits than it reads, and reads only so many."""


def whole_number(text: str, *, digits: int = 18) -> int | None:
    """The number that a text of ASCII digits says; None where it holds anything else, nothing, or more than so many *digits*."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
