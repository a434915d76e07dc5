"""Commands about cohorts: count, generate, explain, report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import cohort_words, screen
from fairhaven.cli.words import AsJson, Hub, ReleaseName, today

if TYPE_CHECKING:
    from fairhaven.journeys.cohorts import Asked, Named
    from fairhaven.kernel.progress import Progress

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="[DIR] FILE...",
        help="The hub's folder, unless --cdm is given; then definitions, or folders of them: OHDSI Circe JSON, "
        "Cohort Discovery (RQuest) JSON, or Fairhaven's own TOML or JSON.",
        show_default=False,
    ),
]
Cdm = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="Any OMOP CDM instead of a hub: a DuckDB file, or a folder or zip of Parquet or CSV."
    ),
]


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
    as_json: AsJson = False,
) -> None:
    """Count the persons and rows of cohorts: of a hub's release as its disclosure policy lets it, of a CDM exactly."""
    if project is not None and cdm is not None:
        raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--project")
    if project is not None and not project.strip():
        raise typer.BadParameter("is empty; give the project's name", param_hint="--project")
    if organisation and project is None:
        raise typer.BadParameter("goes with --project", param_hint="--organisation")
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys import cohorts

        asked, named = _read(files, cdm, name)
        if project is not None:
            _ask(asked, named, project, organisation, progress, as_json=as_json)
            return
        found = cohorts.count(asked, named, progress=progress)
    if as_json:
        screen.show_json(cohort_words.counted_json(found, asked.policy))
    else:
        screen.show_table("", ["id", "cohort", "persons", "rows"], cohort_words.counts(found))
        screen.show_lines(cohort_words.policy_words(asked.policy))


def _ask(
    asked: "Asked", named: "list[Named]", project: str, organisation: str, progress: "Progress", *, as_json: bool
) -> None:
    """Count on behalf of a project."""
    from fairhaven.disclosure.audit import Asker
    from fairhaven.journeys.discovering import budget_of, discover

    assert asked.rooms is not None
    by = Asker(project=project, organisation=organisation)
    discovery = discover(asked.rooms, asked.release, progress=progress)
    decisions = [(each, discovery.ask(each.definition, by=by)) for each in named]
    budget = budget_of(asked.rooms, project)
    if as_json:
        screen.show_json(cohort_words.asked_json(decisions, budget, asked.policy))
        return
    screen.show_table(
        "", ["id", "cohort", "persons"], [(str(each.number), each.name, told.text) for each, told in decisions]
    )
    screen.show_lines([*cohort_words.policy_words(asked.policy), cohort_words.budget_words(project, budget)])


def budget(
    folder: Hub,
    project: Annotated[str, typer.Argument(metavar="PROJECT", help="The project.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """How many questions a project has asked and may still ask."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.discovering import budget_of

        found = budget_of(open_hub(folder), project)
    if as_json:
        screen.show_json(cohort_words.budget_json(found))
    else:
        screen.show_lines([cohort_words.budget_words(project, found)])


def generate(
    files: Files,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The file to write, .parquet or .csv.")],
    cdm: Cdm = None,
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """Write who is in which cohort and when, as the OMOP table COHORT."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys import cohorts

        asked, named = _read(files, cdm, name)
        found = cohorts.generate(asked, named, out=out, progress=progress)
    if as_json:
        screen.show_json({"out": str(out)} | cohort_words.counted_json(found, asked.policy))
    else:
        screen.show_lines([f"{cohort_words.how_many(named, 'cohort')} in {out}."])


def explain(
    files: Files,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Markdown file to write instead of the screen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say in plain words who a cohort is. Needs no data; a hub's folder before the files is allowed and not used."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.journeys import cohorts

        named = cohorts.read_files(_definitions(files), today=today())
        explained = cohort_words.explained(named)
        if out is not None:
            from fairhaven.kernel.files import write_atomically

            write_atomically(out, "\n".join(each["markdown"] for each in explained))
    if as_json:
        screen.show_json(explained)
    elif out is None:
        screen.show_lines(line for each in explained for line in (*each["text"].splitlines(), ""))
    else:
        screen.show_lines([f"{cohort_words.how_many(named, 'definition')} explained in {out}."])


def report(
    files: Files,
    cdm: Cdm = None,
    name: ReleaseName = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="A page to write instead of the screen.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what each rule of a cohort leaves, step by step."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.journeys import cohort_reporting

        asked, named = _read(files, cdm, name)
        found = (
            cohort_reporting.report(asked, named, progress=progress)
            if out is None
            else cohort_reporting.write_report(asked, named, out=out, progress=progress)
        )
    if as_json:
        screen.show_json(cohort_words.reported_json(found, asked.policy))
    elif out is None:
        screen.show_lines(cohort_words.report(found))
        screen.show_lines(cohort_words.policy_words(asked.policy))
    else:
        screen.show_lines([f"The report on {len(named):,} cohort{'' if len(named) == 1 else 's'} is in {out}."])


def _read(files: list[Path], cdm: Path | None, release: str | None) -> "tuple[Asked, list[Named]]":
    """Where to look and for what: the first path is the hub's folder unless a CDM is given."""
    from fairhaven.hub import open_hub
    from fairhaven.journeys.cohorts import Asked, read_files

    if cdm is not None:
        if release is not None:
            raise typer.BadParameter("goes with a hub's folder, not with --cdm", param_hint="--release")
        return Asked(cdm=cdm), read_files(files, today=today())
    hub, *definitions = files
    if not definitions:
        raise typer.BadParameter("give a hub's folder (or --cdm PATH) and at least one definition", param_hint="FILE")
    return Asked(rooms=open_hub(hub), release=release), read_files(definitions, today=today())


def _definitions(files: list[Path]) -> list[Path]:
    """Without a hub's folder in front."""
    is_hub = (files[0] / "hub.toml").is_file()
    if is_hub and len(files) == 1:
        raise typer.BadParameter("give at least one definition", param_hint="FILE")
    return files[1:] if is_hub else files
