"""Section: the quality scorecard, and in words what failed."""

from collections.abc import Sequence
from dataclasses import replace

from fairhaven.disclosure import Policy, protect
from fairhaven.omop import CDM
from fairhaven.omop.cdm import VOCABULARY_TABLES
from fairhaven.pages.kit.charts import bar
from fairhaven.pages.kit.figures import counted, share, spoken, whole
from fairhaven.pages.kit.html import Child, Html, join, tag
from fairhaven.pages.kit.layout import Section, folded, named
from fairhaven.pages.release.facts import Check, ReportFacts, Score
from fairhaven.pages.release.labels import CATEGORIES

_LEVELS = ("error", "warning", "note")
_VOCABULARY = "The vocabulary"
_MOST = 12
"""How many failing checks are listed before the rest is folded."""


def scores_section(facts: ReportFacts) -> Section | None:
    """The scorecard; None where no check was made."""
    if facts.scorecard is None:
        return None
    scores, failing = facts.scorecard.scores, facts.scorecard.failing
    passed, failed = sum(s.passed for s in scores), sum(s.failed for s in scores)
    lead = f"{whole(passed)} of {counted(passed + failed, 'check')} passed ({share(passed, passed + failed)})."
    lead += (
        " Conformance asks whether values have the form that the data model wants, completeness whether they are "
        "there, plausibility whether they can be believed."
    )
    return Section(
        id="quality",
        title="Can it be relied on",
        short="Quality",
        lead=lead,
        body=join(_tiles(scores), _failing(failing, facts.policy)),
    )


def _tiles(scores: Sequence[Score]) -> Html:
    order = list(CDM)
    scores = [replace(s, table=_VOCABULARY) if s.table in VOCABULARY_TABLES else s for s in scores]
    tables = sorted({s.table for s in scores}, key=lambda t: order.index(t) if t in order else len(order))
    categories = [*CATEGORIES, *sorted({s.category for s in scores} - CATEGORIES.keys())]
    head = tag(
        "tr",
        tag("th", "Table", scope="col"),
        [tag("th", CATEGORIES.get(category, spoken(category)), scope="col") for category in categories],
    )
    rows = [
        tag(
            "tr",
            tag("th", _VOCABULARY if table == _VOCABULARY else named(table), scope="row"),
            [_tile([s for s in scores if s.table == table and s.category == category]) for category in categories],
        )
        for table in tables
    ]
    return tag(
        "table",
        tag("caption", "Share of checks passed, by table and category", class_="unseen"),
        tag("thead", head),
        tag("tbody", rows),
        class_="tiles",
    )


def _tile(scores: Sequence[Score]) -> Html:
    passed, failed = sum(s.passed for s in scores), sum(s.failed for s in scores)
    if not passed + failed:
        return tag("td", "–", class_="tile none")
    rate = passed / (passed + failed)
    grade = "full" if not failed else "good" if rate >= 0.95 else "fair" if rate >= 0.8 else "poor"
    said: Child = tag("small", f"{failed} of {passed + failed} failed") if failed else tag("small", f"all {passed}")
    return tag("td", tag("b", share(passed, passed + failed)), " ", said, class_=f"tile {grade}")


def _failing(checks: Sequence[Check], policy: Policy) -> Html:
    if not checks:
        return tag("p", "No check failed.", class_="aside")
    ranked = sorted(
        checks,
        key=lambda c: (
            _LEVELS.index(c.level) if c.level in _LEVELS else len(_LEVELS),
            -(c.rows_failed / c.rows_checked if c.rows_checked else 1),
            c.table,
            c.field,
            c.name,
        ),
    )
    rest = ranked[_MOST:]
    return join(
        tag("h3", "What failed"),
        tag("ol", [_check(check, policy) for check in ranked[:_MOST]], class_="checks"),
        folded(
            f"{counted(len(rest), 'further failing check')}",
            tag("ol", [_check(check, policy) for check in rest], class_="checks"),
        )
        if rest
        else None,
    )


def _check(check: Check, policy: Policy) -> Html:
    place = f"{check.table}.{check.field}" if check.field else check.table
    failed = protect(check.rows_failed, policy)
    said = f"{failed.text} rows"
    drawn: Child = None
    if 0 < check.rows_checked < policy.threshold:
        said = f"of {policy.under} rows"
    elif check.rows_checked:
        drawn = bar(check.rows_failed / check.rows_checked if failed.value else 0.0, f"level-{_level(check)}")
        said = f"{failed.text} of {whole(check.rows_checked)} rows"
        if failed.value:
            said += f", {share(failed.value, check.rows_checked)}"
    if check.threshold:
        said += f"; up to {share(check.threshold, 1)} may"
    return tag(
        "li",
        tag("span", check.level, class_=f"level level-{_level(check)}"),
        tag("p", _sentence(check, place)),
        tag("p", named(place), " · ", said, class_="aside"),
        drawn,
    )


def _sentence(check: Check, place: str) -> str:
    """What is expected, without the place that stands below it."""
    words = check.words.removeprefix(f"{place}: ") or spoken(check.name)
    return words[:1].upper() + words[1:]


def _level(check: Check) -> str:
    return check.level if check.level in _LEVELS else "note"
