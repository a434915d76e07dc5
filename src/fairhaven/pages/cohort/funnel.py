"""What each step leaves, as bars that narrow. Only counts that may be seen have a length; the others all look alike."""

from markupsafe import Markup

from fairhaven.disclosure import Protected
from fairhaven.pages.kit.charts import bar, hatched, ornament, rect
from fairhaven.pages.kit.svg import coordinate, element

_TOP, _TALL = 15.0, 25.0
"""A row's drawing: the flow from the row above, then the bar; 40 together."""


def flow(last: Protected | None, now: Protected, largest: int, style: str = "flow-bar") -> Markup:
    """One step: what the step before left, narrowing to what this one leaves."""
    if now.value is None:
        return hatched("flow", y="37.5%", height="62.5%")
    here = _length(now.value, largest)
    drawn: list[Markup] = []
    if last is not None and last.value is not None:
        there = _length(last.value, largest)
        drawn.append(_band(there, here))
        if there > here:
            drawn.append(rect(here, _TOP, there - here, _TALL, "flow-gone"))
    drawn.append(rect(0, _TOP, here, _TALL, style))
    return ornament(*drawn, width=100, height=40, class_="flow", stretch=True)


def persons_bar(persons: Protected, largest: int) -> Markup:
    """A cohort's size beside others; a hidden one is hatched from end to end."""
    if persons.value is None:
        return hatched("bar")
    return bar(persons.value / largest if largest else 0.0, "tone-1")


def _band(there: float, here: float) -> Markup:
    """From the bar above to this one."""
    bend, n = _TOP / 2, coordinate
    path = f"M0 0H{n(there)}C{n(there)} {n(bend)} {n(here)} {n(bend)} {n(here)} {n(_TOP)}H0Z"
    return element("path", d=path, class_="flow-band")


def _length(count: int, largest: int) -> float:
    """Of 100; a sliver is left visible where it is not 0."""
    return max(0.4, 100.0 * count / largest) if count else 0.0
