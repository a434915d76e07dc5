"""Small drawings. Colours are style classes, never written here, so that light, dark and print have their own."""

from collections.abc import Sequence

from markupsafe import Markup

from fairhaven.pages.kit.svg import Child, coordinate, element


def drawing(
    *children: Child, width: float, height: float, title: str, description: str = "", name: str, class_: str = ""
) -> Markup:
    """An SVG picture that says what it is.

    Args:
        title: what a screen reader says first; description: what the picture shows.
        name: unique on the page; the prefix of its ids.
    """
    ids = f"{name}-title {name}-desc" if description else f"{name}-title"
    return element(
        "svg",
        element("title", title, id=f"{name}-title"),
        element("desc", description, id=f"{name}-desc") if description else None,
        *children,
        viewBox=f"0 0 {coordinate(float(width))} {coordinate(float(height))}",
        role="img",
        aria_labelledby=ids,
        class_=class_ or None,
    )


def ornament(*children: Child, width: float, height: float, class_: str, stretch: bool = False) -> Markup:
    """A drawing that repeats what the text beside it says, so that screen readers pass it over."""
    return element(
        "svg",
        *children,
        viewBox=f"0 0 {coordinate(float(width))} {coordinate(float(height))}",
        preserveAspectRatio="none" if stretch else None,
        aria_hidden="true",
        focusable="false",
        class_=class_,
    )


def rect(x: float, y: float, width: float, height: float, class_: str, *, title: str = "") -> Markup:
    """A rectangle; its title shows when pointed at."""
    return element(
        "rect",
        element("title", title) if title else None,
        x=float(x),
        y=float(y),
        width=float(width),
        height=float(height),
        class_=class_,
    )


def canvas(*children: Child, class_: str) -> Markup:
    """An ornament as wide as its place, for shapes whose sizes are `percent`: they stretch, text and strokes do not."""
    return element("svg", *children, width="100%", aria_hidden="true", focusable="false", class_=class_)


def percent(value: float) -> str:
    """A size or place on a `canvas`, 0 to 100."""
    return f"{coordinate(float(value))}%"


def bar(share: float, class_: str, *, ghost: bool = True) -> Markup:
    """A horizontal bar that fills its cell to a share of 0 to 1; a sliver is left visible where it is not 0."""
    length = 0.0 if share <= 0 else max(0.8, 100 * min(share, 1.0))
    track = rect(0, 0, 100, 8, "track") if ghost else None
    return ornament(track, rect(0, 0, length, 8, class_), width=100, height=8, class_="bar", stretch=True)


def hatched(class_: str, *, y: str = "0", height: str = "100%") -> Markup:
    """What stands in place of a hidden count: hatched from end to end, whatever the count is."""
    return canvas(element("rect", y=y, width="100%", height=height, fill="url(#hatch)"), class_=class_)


def hatch(name: str, *, size: float, line: float, style: str) -> Markup:
    """A pattern of slanting lines; its classes are *style* with ``-ground`` and ``-line``."""
    return element(
        "defs",
        element(
            "pattern",
            element("rect", width=size, height=size, class_=f"{style}-ground"),
            element("rect", width=line, height=size, class_=f"{style}-line"),
            id=name,
            width=size,
            height=size,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        ),
    )


def stacked(parts: Sequence[tuple[float, str]], most: float) -> Markup:
    """Bars one after the other in one line; lengths in units of which *most* fill the line."""
    drawn, at = [], 0.0
    for size, class_ in parts:
        length = 100 * size / most if most else 0.0
        if size > 0:
            length = max(0.8, length)
            drawn.append(rect(at, 0, length, 8, class_))
        at += length
    return ornament(rect(0, 0, 100, 8, "track"), *drawn, width=100, height=8, class_="bar", stretch=True)


def columns(
    heights: Sequence[float | None], class_: str, *, titles: Sequence[str] = (), css: str = "columns"
) -> Markup:
    """Upright bars of equal width, scaled to the highest; None is a hidden count and drawn as a hatched stub."""
    top = max((height for height in heights if height), default=1.0) or 1.0
    drawn = []
    for place, height in enumerate(heights):
        title = titles[place] if titles else ""
        if height is None:
            drawn.append(rect(place * 10 + 1, 37.5, 8, 2.5, "veiled", title=title))
        elif height > 0:
            tall = max(1.0, 40 * height / top)
            drawn.append(rect(place * 10 + 1, 40 - tall, 8, tall, class_, title=title))
    return ornament(*drawn, width=max(10, 10 * len(heights)), height=40, class_=css, stretch=True)
