"""Commands about cohorts, in the order of the work: explain, count, report, generate; and what a project may still ask."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import cohort_text, screen
from fairhaven.cli.arguments import AsJson, Hub, ReleaseName, today

if TYPE_CHECKING:
    from fairhaven.journeys.cohorts.count import Asked, Named
    from fairhaven.kernel.progress import Progress

_FORMS = "definitions, or folders of them: OHDSI Circe JSON, Cohort Discovery (RQuest) JSON, or Fairhaven's own TOML or JSON."
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="[DIR] FILE...", help=f"The hub's folder, unless --cdm is given; then {_FORMS}", show_default=False
    ),
]
Cdm = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="Any OMOP CDM instead of a hub: a DuckDB file, or a folder or zip of Parquet or CSV."
    ),
]


def explain(
    files: Files,
    cdm: Cdm = None,
    name: ReleaseName = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Markdown file to write instead of the screen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say in plain words who a cohort is. Needs no data: a hub's folder, --cdm and --release are allowed and not used."""
    del cdm, name  # there so that the four commands take the same words
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.journeys.cohorts import count

        named = count.read_files(_definitions(files), today=today())
        explained = cohort_text.explained(named)
        if out is not None:
            from fairhaven.kernel.files import write_atomically

            write_atomically(out, "\n".join(each["markdown"] for each in explained))
    if as_json:
        screen.show_json(explained)
    elif out is None:
        screen.show_lines(line for each in explained for line in (*each["text"].splitlines(), ""))
    else:
        screen.show_lines([f"{cohort_text.how_many(named, 'definition')} explained in {out}."])


def count(
    files: Files,
    cdm: Cdm = None,
    name: ReleaseName = None,
    project: Annotated[
        str | None,
        typer.Option(
            metavar="P", help="Ask on behalf of a project: persons only, from its budget, checked by the query audit."
        ),
    ] = None,
    organisation: Annotated[str, typer.Option(metavar="O", help="The project's organisation.")] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A JSON file to write the counts to as well.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count persons and rows. Of a hub's release as its disclosure policy lets it, of a CDM exactly."""
    if project is not None and cdm is not None:
        raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--project")
    if project is not None and not project.strip():
        raise typer.BadParameter("is empty; give the project's name", param_hint="--project")
    if organisation and project is None:
        raise typer.BadParameter("goes with --project", param_hint="--organisation")
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys.cohorts import count

        asked, named = _read(files, cdm, name)
        if project is not None:
            _ask(asked, named, project, organisation, progress, out=out, as_json=as_json)
            return
        found = count.count(asked, named, progress=progress)
        value = cohort_text.counted_json(found, asked.policy)
        _write_json(out, value)
    if as_json:
        screen.show_json(value)
    else:
        screen.show_table("", ["id", "cohort", "persons", "rows"], cohort_text.counts(found))
        screen.show_lines(cohort_text.policy_words(asked.policy))


def _ask(
    asked: "Asked",
    named: "list[Named]",
    project: str,
    organisation: str,
    progress: "Progress",
    *,
    out: Path | None,
    as_json: bool,
) -> None:
    """Count on behalf of a project."""
    from fairhaven.journeys.cohorts.discover import budget_of, discover
    from fairhaven.query_audit import Asker

    assert asked.rooms is not None
    by = Asker(project=project, organisation=organisation)
    discovery = discover(asked.rooms, asked.release, progress=progress)
    decisions = [(each, discovery.ask(each.definition, by=by)) for each in named]
    budget = budget_of(asked.rooms, project)
    value = cohort_text.asked_json(decisions, budget, asked.policy)
    _write_json(out, value)
    if as_json:
        screen.show_json(value)
        return
    screen.show_table(
        "", ["id", "cohort", "persons"], [(str(each.number), each.name, told.text) for each, told in decisions]
    )
    screen.show_lines([*cohort_text.policy_words(asked.policy), cohort_text.budget_words(project, budget)])


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
    as_json: AsJson = False,
) -> None:
    """Show what each rule of a cohort leaves, step by step."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys.cohorts import attrition
        from fairhaven.kernel.files import write_atomically
        from fairhaven.pages.cohort import render

        asked, named = _read(files, cdm, name)
        is_page = out is not None and out.suffix != ".json"
        found = attrition.report(asked, named, progress=progress)
        if out is not None and is_page:
            progress.stage("Drawing the page")
            write_atomically(out, render(found), mode=0o644)
        value = cohort_text.reported_json(found.cohorts, asked.policy)
        _write_json(None if is_page else out, value)
    if as_json:
        screen.show_json(value)
    elif out is None:
        screen.show_lines(cohort_text.report(found.cohorts))
        screen.show_lines(cohort_text.policy_words(asked.policy))
    else:
        screen.show_lines([f"The report on {len(named):,} cohort{'' if len(named) == 1 else 's'} is in {out}."])


def generate(
    files: Files,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The file to write, .parquet or .csv.", show_default="CSV on the standard output"
        ),
    ] = None,
    cdm: Cdm = None,
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """Write who is in which cohort and when, as the OMOP table COHORT."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys.cohorts import count

        asked, named = _read(files, cdm, name)
        rows: list[dict[str, object]] = []
        with ExitStack() as open_files:
            if out is not None:
                write = open_files.enter_context(count.rows_file(out))
            elif as_json:
                write = cohort_text.collect(rows)
            else:
                write = open_files.enter_context(screen.csv_writer(count.COHORT))
            found = count.generate(asked, named, write, progress=progress)
    value = cohort_text.counted_json(found, asked.policy)
    if as_json:
        screen.show_json(value | ({"rows": rows} if out is None else {"out": str(out)}))
    elif out is not None:
        screen.show_lines([f"{cohort_text.how_many(named, 'cohort')} in {out}."])


def budget(
    folder: Hub,
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="The project.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """How many questions a project has asked and may still ask."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.cohorts.discover import budget_of

        found = budget_of(open_hub(folder), project)
    if as_json:
        screen.show_json(cohort_text.budget_json(found))
    else:
        screen.show_lines([cohort_text.budget_words(project, found)])


def _read(files: list[Path], cdm: Path | None, release: str | None) -> "tuple[Asked, list[Named]]":
    """Where to look and for what: the first path is the hub's folder unless a CDM is given."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.cohorts.count import Asked, read_files

    if cdm is not None:
        if release is not None:
            raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--release")
        return Asked(cdm=cdm), read_files(files, today=today())
    hub, *definitions = files
    if not definitions:
        raise typer.BadParameter("give a hub's folder (or --cdm PATH) and at least one definition", param_hint="FILE")
    return Asked(rooms=open_hub(hub), release=release), read_files(definitions, today=today())


def _write_json(out: Path | None, value: object) -> None:
    """A result to a file, where one is asked for."""
    if out is not None:
        from fairhaven.kernel.files import write_json

        write_json(out, value)


def _definitions(files: list[Path]) -> list[Path]:
    """Without a hub's folder in front."""
    is_hub = (files[0] / "hub.toml").is_file()
    if is_hub and len(files) == 1:
        raise typer.BadParameter("give at least one definition", param_hint="FILE")
    return files[1:] if is_hub else files
