"""Commands about cohorts, in the order of the work: explain, count, report, generate; and what a project may still ask."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import cohort_text
from fairhaven.cli.arguments import Cdm, Force, Hub, ReleaseName, actor, opened, output, today
from fairhaven.cli.screen import Screen, csv_writer

if TYPE_CHECKING:
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.cohorts.count import CohortSource, Named
    from fairhaven.journeys.model import Rooms
    from fairhaven.kernel.outputs import Output

_FORMS = "definitions, or folders of them: OHDSI Circe JSON, Cohort Discovery (RQuest) JSON, or Fairhaven's own TOML or JSON."
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="[DIR] FILE...", help=f"The hub's folder, unless --cdm is given; then {_FORMS}", show_default=False
    ),
]


def explain(
    files: Files,
    cdm: Cdm = None,
    name: ReleaseName = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Markdown file to write instead of the screen.")
    ] = None,
    force: Force = False,
    *,
    screen: "Screen[list[results.ExplainedCohort]]",
) -> None:
    """Say in plain words who a cohort is. Needs no data: a hub's folder, --cdm and --release are allowed and not used."""
    del cdm, name  # there so that the four commands take the same words
    definitions = _definitions(files)
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.cohorts.count import read_files
    from fairhaven.kernel.foreign_names import harmless

    place = _place(out, "cohort explain", force, None)
    explained = [results.ExplainedCohort.of(each) for each in read_files(definitions, today=today())]
    if place is not None:
        place.write(harmless("\n".join(each.markdown for each in explained)))
    screen.show(explained, cohort_text.explained(explained, out))


def count(
    files: Files,
    cdm: Cdm = None,
    name: ReleaseName = None,
    project: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="Ask on behalf of a project (`fairhaven project open`): persons only, from its budget, checked by the query audit.",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON file to write the counts to as well.")
    ] = None,
    force: Force = False,
    *,
    screen: "Screen[results.CohortCounts | results.AnsweredQuestions]",
) -> None:
    """Count persons of a hub's release, as its query audit lets them be known; persons and rows of a CDM, exactly.

    Without a project the counts are the hub's own: recorded, compared with what the hub itself was told before, and not for handing out.
    """
    if project is not None and cdm is not None:
        raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--project")
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.cohorts.count import count_cohorts

    asked, named = _read(files, cdm, name)
    place = _place(out, "cohort count", force, asked.rooms)
    if asked.rooms is not None:
        from fairhaven.journeys.cohorts.discover import ask
        from fairhaven.journeys.cohorts.projects import asker_of
        from fairhaven.query_audit import THE_HUB

        asker = asker_of(asked.rooms, project) if project is not None else THE_HUB
        answers = ask(asked.rooms, asked.release, named, asker=asker, by=actor(), progress=screen.progress)
        answered = results.AnsweredQuestions.of(answers, asked.policy, project)
        _write_json(place, answered)
        screen.show(answered, cohort_text.answers(answered, project, asked.policy))
        return
    found = count_cohorts(asked, named, progress=screen.progress)
    counted = results.CohortCounts.of(found, asked.policy)
    _write_json(place, counted)
    screen.show(counted, cohort_text.counts(found, asked.policy))


def report(
    files: Files,
    cdm: Cdm = None,
    name: ReleaseName = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file to write instead of the screen: a page, or JSON where it ends in .json."
        ),
    ] = None,
    force: Force = False,
    *,
    screen: "Screen[results.CohortAttritions]",
) -> None:
    """Show what each rule of a cohort leaves, step by step."""
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.cohorts.attrition import report_attrition
    from fairhaven.pages.cohort import render

    asked, named = _read(files, cdm, name)
    place = _place(out, "cohort report", force, asked.rooms)
    found = report_attrition(asked, named, by=actor(), progress=screen.progress)
    reported = results.CohortAttritions.of(found)
    if place is not None and place.path.suffix != ".json":
        screen.write_page(place, render, found)
    else:
        _write_json(place, reported)
    screen.show(reported, cohort_text.report(found, out))


def generate(
    files: Files,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The file to write, .parquet or .csv.", show_default="CSV on the standard output"
        ),
    ] = None,
    force: Force = False,
    cdm: Cdm = None,
    name: ReleaseName = None,
    *,
    screen: "Screen[results.GeneratedRows | results.GeneratedFile]",
) -> None:
    """Write who is in which cohort and when, as the OMOP table COHORT."""
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.cohorts.count import COHORT, count_cohorts, rows_file

    asked, named = _read(files, cdm, name)
    place = _place(out, "cohort generate", force, asked.rooms)
    rows: list[results.CohortRow] = []
    with ExitStack() as open_files:
        if place is not None:
            write = open_files.enter_context(rows_file(place))
        elif screen.as_json:
            write = lambda table: rows.extend(results.CohortRow(**row) for row in table.to_pylist())  # noqa: E731
        else:
            write = open_files.enter_context(csv_writer(COHORT))
        found = count_cohorts(asked, named, write=write, progress=screen.progress)
    counted = results.CohortCounts.of(found, asked.policy)
    if out is None:
        screen.show(results.GeneratedRows(policy=counted.policy, cohorts=counted.cohorts, rows=tuple(rows)), ())
    else:
        words = [f"{cohort_text.how_many(named, 'cohort')} in {out}."]
        screen.show(results.GeneratedFile(policy=counted.policy, cohorts=counted.cohorts, out=out), words)


def budget(
    folder: Hub,
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="The project.", show_default=False)],
    *,
    screen: "Screen[results.QuestionBudget]",
) -> None:
    """How many questions a project has asked and may still ask."""
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.cohorts.discover import budget_of
    from fairhaven.journeys.cohorts.projects import asker_of

    rooms = opened(folder)
    found = results.QuestionBudget.of(budget_of(rooms, asker_of(rooms, project).project))
    screen.show(found, [cohort_text.budget(project, found)])


def questions(
    folder: Hub,
    set_aside: Annotated[
        int | None,
        typer.Option(
            metavar="UID",
            help="Go on without the log of this account, which was cut, altered or lost; what is left is kept, and the ledger has who decided.",
            show_default=False,
        ),
    ] = None,
    *,
    screen: "Screen[results.AccountLogs]",
) -> None:
    """Whose logs of questions there are, and whether each is whole."""
    from fairhaven.cli import cohort_results as results
    from fairhaven.journeys.hub_audit import question_logs, set_aside_log

    rooms = opened(folder)
    entry = None if set_aside is None else set_aside_log(rooms, set_aside, by=actor()).number
    found = results.AccountLogs(logs=question_logs(rooms), entry=entry)
    screen.show(found, cohort_text.question_logs(found))


def _read(files: list[Path], cdm: Path | None, release: str | None) -> "tuple[CohortSource, list[Named]]":
    """Where to look and for what: the first path is the hub's folder unless a CDM is given."""
    from fairhaven.journeys.cohorts.count import CohortSource, read_files

    if cdm is not None:
        if release is not None:
            raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--release")
        return CohortSource(cdm=cdm), read_files(files, today=today())
    hub, *definitions = files
    if not definitions:
        raise typer.BadParameter("give a hub's folder (or --cdm PATH) and at least one definition", param_hint="FILE")
    return CohortSource(rooms=opened(hub), release=release), read_files(definitions, today=today())


def _place(out: Path | None, command: str, force: bool, rooms: "Rooms | None") -> "Output | None":
    return None if out is None else output(out, command=command, force=force, rooms=rooms)


def _write_json(out: "Output | None", result: object) -> None:
    """A result to a file, where one is asked for."""
    if out is not None:
        from fairhaven.kernel.codec import to_json
        from fairhaven.kernel.files import json_text

        out.write(json_text(to_json(result)))


def _definitions(files: list[Path]) -> list[Path]:
    """Without a hub's folder in front."""
    is_hub = (files[0] / "hub.toml").is_file()
    if is_hub and len(files) == 1:
        raise typer.BadParameter("give at least one definition", param_hint="FILE")
    return files[1:] if is_hub else files
