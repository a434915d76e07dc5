"""The opening of the page and its end: whose release it is, and how to read the figures."""

from fairhaven.pages.kit.figures import day, share, whole
from fairhaven.pages.kit.html import Html, join, tag
from fairhaven.pages.kit.layout import Section, figures
from fairhaven.pages.release.facts import ReportFacts
from fairhaven.pages.release.labels import persons

_SMALL = (
    "{rule} This holds for counts of persons and of values, and where one hidden count could be worked out from the "
    "others a second one is hidden with it. Ranges leave out outermost values that few persons have. "
    "The rule: {title}, since {since}."
)
_ROWS = (
    "Counts of rows received and quarantined are exact, because they must add up: received is landed, quarantined and "
    "opted out together. They count lines of files, not people; where few rows were opted out, their number and what "
    "would give it away is not shown."
)
_CONCEPT = (
    "A row whose source code has no standard concept stays in the release under concept 0, with the source's code "
    "beside it. The page calls it unmapped."
)
_PERSONS = (
    "A person here is what linkage took to be one human being. Two records that should be one, or one that should be "
    "two, are possible; the pairs left for a person to decide are the doubtful ones."
)


def opening(facts: ReportFacts) -> Html:
    """Name, date and the handful of figures that one looks for first."""
    return tag(
        "header",
        tag("p", "Release report", class_="eyebrow"),
        tag("h1", facts.hub),
        tag(
            "p",
            "Release ",
            tag("b", facts.release),
            ", as of ",
            tag("time", day(facts.as_of), datetime=facts.as_of.isoformat()),
            f", after {facts.previous}" if facts.previous else "",
            class_="which",
        ),
        figures(_figures(facts)),
        class_="opening",
    )


def _figures(facts: ReportFacts) -> list[tuple[str, str]]:
    found = []
    if facts.persons:
        found.append((persons(facts.persons, facts.policy), "persons"))
    delivered = {flow.source for flow in facts.flows}
    if delivered:
        found.append((str(len(delivered)), "source" if len(delivered) == 1 else "sources"))
        found.append((whole(sum(flow.received for flow in facts.flows)), "rows received"))
    if facts.links:
        found.append((whole(sum(link.rows for link in facts.links)), "rows in the release"))
    if facts.scorecard:
        passed = sum(score.passed for score in facts.scorecard.scores)
        made = passed + sum(score.failed for score in facts.scorecard.scores)
        found.append((share(passed, made), "of quality checks passed"))
    return found


def reading_section(facts: ReportFacts) -> Section:
    """How to read the page, and what it vouches for."""
    policy = facts.policy
    entries = [
        ("Small numbers", _SMALL.format(rule=policy.words, title=policy.title, since=day(policy.since))),
        ("Rows on their way", _ROWS),
        ("Concept 0", _CONCEPT),
        ("Persons", _PERSONS),
    ]
    made = [("Release", facts.release), ("As of", day(facts.as_of))]
    made += [("After", facts.previous)] if facts.previous else []
    made += [("Vocabulary", facts.vocabulary)] if facts.vocabulary else []
    made += [("Made with", facts.code_version)] if facts.code_version else []
    return Section(
        id="reading",
        title="How to read this",
        short="How to read this",
        lead="What the figures mean, and what the release can be checked by.",
        body=join(
            tag("dl", [tag("div", tag("dt", word), tag("dd", said)) for word, said in entries], class_="reading"),
            tag(
                "dl",
                [tag("div", tag("dt", word), tag("dd", said)) for word, said in made],
                tag("div", tag("dt", "Hash"), tag("dd", tag("code", facts.hash, class_="hash"))),
                class_="made",
            ),
            tag(
                "p",
                "The hash is computed over the release's content. Whoever holds the same release computes the same "
                "hash, and an altered one does not have it.",
                class_="aside",
            ),
        ),
    )
