"""Section: every variable of every table, with what is missing, its range and its distribution."""

from fairhaven.disclosure import Policy
from fairhaven.pages.kit.charts import bar, columns
from fairhaven.pages.kit.figures import counted, number, share, short, whole
from fairhaven.pages.kit.html import Child, Html, join, tag
from fairhaven.pages.kit.layout import Column, Section, folded, named, table
from fairhaven.pages.release.facts import ReportFacts
from fairhaven.pages.release.labels import telling_years
from fairhaven.release.description import Bar, Description, TableDescription, Variable

_LISTED = 6
"""How many of a variable's values are listed."""

_KINDS = {
    "concept": "concept",
    "category": "category",
    "number": "number",
    "date": "date",
    "identifier": "identifier",
    "text": "free text",
}


def tables_section(facts: ReportFacts) -> Section | None:
    """Every variable; None where the release is not described."""
    if facts.description is None:
        return None
    described = [entry for entry in facts.description.tables if entry.rows is None or entry.rows > 0]
    span = telling_years([{y: n or 0 for y, n in _years(e).items()} for e in described if e.first_year is not None])
    empty = [entry.name for entry in facts.description.tables if entry.rows == 0]
    return Section(
        id="variables",
        title="What is in it",
        short="Variables",
        lead=_lead(facts.description, described),
        body=join(
            tag("p", f"The small pictures run from {span[0]} to {span[-1]}.", class_="aside") if span else None,
            tag("div", [_table(entry, span, facts.policy) for entry in described], class_="tables"),
            tag("p", "Empty in this release: ", _list(empty), class_="aside") if empty else None,
        ),
    )


def _lead(description: Description, described: list[TableDescription]) -> str:
    variables = sum(len(entry.variables) for entry in described)
    said = f"{counted(variables, 'variable')} in {counted(len(described), 'table')}"
    if description.first_year is not None:
        said += f", {description.first_year} to {description.last_year}"
    return f"{said}. Open a table to see what each variable holds, how often it is filled, and how its values spread."


def _years(entry: TableDescription) -> dict[int, int | None]:
    """Rows by year of the table's first date that has a distribution; None for a hidden year."""
    dates = next((v for v in entry.variables if v.kind == "date" and v.bars), None)
    return {int(b.label): b.rows for b in dates.bars} if dates else {}


def _table(entry: TableDescription, span: range, policy: Policy) -> Html:
    facts = [_count(entry.rows, "row", policy)]
    if entry.persons is not None:
        facts.append(_count(entry.persons, "person", policy))
    if entry.first_year is not None:
        facts.append(f"{entry.first_year}–{entry.last_year}")
    never = [v for v in entry.variables if v.missing and v.missing == entry.rows]
    years = _years(entry) if entry.first_year is not None else {}
    spark = columns([years.get(year, 0) for year in span], "tone-1", css="columns spark") if years else None
    said = [tag("span", fact) for fact in facts]
    return folded(
        join(
            tag(
                "span",
                tag("h3", entry.name),
                tag("span", said, class_="aside"),
                class_="what",
            ),
            spark,
        ),
        table(
            f"Variables of {entry.name}",
            [
                Column(title="Variable"),
                Column(title="Filled"),
                Column(title="Range"),
                Column(title="Distribution", style="w"),
            ],
            [[_name(v), _filled(v, policy), _range(v), _spread(v, policy)] for v in entry.variables if v not in never],
            class_="cards variables",
        ),
        tag("p", "Never filled: ", _list([v.name for v in never]), class_="aside") if never else None,
        class_="table",
    )


def _count(count: int | None, word: str, policy: Policy) -> str:
    return counted(count, word) if count is not None else f"{policy.under} {word}s"


def _name(variable: Variable) -> Child:
    required = " · required" if variable.is_required else ""
    kind = _KINDS.get(variable.kind, variable.kind)
    return join(named(variable.name), tag("small", f"{kind}{required}"))


def _filled(variable: Variable, policy: Policy) -> Child:
    if variable.missing_share is None:
        return tag("small", "too few rows to say")
    filled = 1 - variable.missing_share
    if variable.missing is not None:
        said = share(filled, 1)
        rest = f"{whole(variable.missing)} missing" if variable.missing else ""
    else:
        said = "nearly all" if filled else "nearly none"
        rest = f"{policy.under} {'missing' if filled else 'filled'}"
    return join(tag("span", bar(filled, "tone-3"), said, class_="filled"), tag("small", rest) if rest else None)


def _range(variable: Variable) -> Child:
    low, high = variable.lowest, variable.highest
    if variable.kind in ("concept", "category") and variable.distinct:
        return tag("small", counted(variable.distinct, "value"))
    if low is None and high is None:
        return None
    if variable.kind == "date":
        return f"{low:.0f}" if low == high else f"{low or 0:.0f} – {high or 0:.0f}"
    ends = [number(end) if end is not None else "…" for end in (low, high)]
    said = ends[0] if low == high else f"{ends[0]} – {ends[1]}"
    middle = tag("small", f"median {number(variable.middle)}") if variable.middle is not None else None
    return join(said, middle)


def _spread(variable: Variable, policy: Policy) -> Child:
    match variable.kind:
        case "identifier":
            return tag("small", "identifiers are not shown")
        case "text":
            return tag("small", "words are not shown")
        case "concept" | "category" if variable.bars:
            return _values(variable)
        case "number" | "date" if variable.bars:
            return _histogram(variable, policy)
        case _:
            return tag("small", "no value has enough persons to show") if variable.others else None


def _histogram(variable: Variable, policy: Policy) -> Html:
    titles = [f"{b.label}: {policy.under if b.rows is None else whole(b.rows)}" for b in variable.bars]
    style = "tone-2" if variable.kind == "date" else "tone-1"
    ends = tag("span", tag("span", variable.bars[0].label), tag("span", variable.bars[-1].label), class_="marks")
    return join(columns([b.rows for b in variable.bars], style, titles=titles, css="columns mid"), ends)


def _values(variable: Variable) -> Html:
    listed = variable.bars[:_LISTED]
    most = max((b.rows or 0 for b in listed), default=1) or 1
    more = sum(b.rows or 0 for b in variable.bars[_LISTED:]) + (variable.others or 0)
    many = (variable.distinct or 0) - len(listed)
    return tag(
        "ul",
        [_value(b, most) for b in listed],
        tag("li", tag("small", f"{counted(many, 'other value')}" + (f", {counted(more, 'row')}" if more else "")))
        if many > 0
        else None,
        class_="values",
    )


def _value(entry: Bar, most: int) -> Html:
    style = "veiled" if entry.code == "0" else "tone-1"
    return tag(
        "li",
        tag("span", short(entry.label, 64), class_="label"),
        tag("span", whole(entry.rows or 0), class_="n"),
        bar((entry.rows or 0) / most, style, ghost=False),
    )


def _list(names: list[str]) -> Html:
    return join([join(", " if place else None, named(name)) for place, name in enumerate(names)], ".")
