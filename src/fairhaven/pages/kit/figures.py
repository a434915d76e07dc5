"""Figures and dates as a reader says them."""

import datetime as dt


def whole(count: int | float) -> str:
    """``12,345``"""
    return f"{round(count):,}"


def counted(count: int, one: str, many: str = "") -> str:
    """``1 row``, ``2,000 rows``"""
    return f"{whole(count)} {one if count == 1 else many or one + 's'}"


def share(part: float, of: float) -> str:
    """A share in per cent; what is not all is never said to be 100%, and what is not nothing never 0%."""
    if not of:
        return "–"
    value = 100 * part / of
    if 0 < value < 0.1:
        return "<0.1%"
    if 99.9 < value < 100:
        return ">99.9%"
    return f"{value:.1f}%" if 0 < value < 10 or 99 <= value < 100 else f"{value:.0f}%"


def number(value: float) -> str:
    """A value of a variable, without false precision."""
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))
    return f"{value:.4g}"


def day(date: dt.date) -> str:
    """``1 November 2026``"""
    return f"{date.day} {date:%B %Y}"


def short(text: str, most: int) -> str:
    """Text cut to *most* characters, with an ellipsis where cut."""
    return text if len(text) <= most else text[: most - 1].rstrip(" ,.") + "…"


def spoken(name: str) -> str:
    """``name-birth_postcode`` as ``Name birth postcode``."""
    text = name.replace("_", " ").replace("-", " ").strip()
    return text[:1].upper() + text[1:]
