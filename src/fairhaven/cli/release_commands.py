"""Commands about releases: build, list, show, compare, verify, erase, trace, export."""

import datetime as dt
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fairhaven.cli import release_text
from fairhaven.cli.arguments import Force, Hub, Plan, ReleaseName, actor, day, opened, output, today
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import release_results as results


_LONGEST_NUMBER = 1000
"""Of a file that holds an NHS number no more is read."""


def build(
    folder: Hub,
    plan: Plan = False,
    as_of: Annotated[
        dt.date | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            parser=day,
            help="The day that the release speaks for.",
            show_default="the latest delivery's day",
        ),
    ] = None,
    *,
    screen: "Screen[results.BuiltRelease | results.BuildPlan]",
) -> None:
    """Build a new release from all that was received. Interrupted, it goes on where it stopped."""
    from fairhaven.cli import release_results as results
    from fairhaven.journeys.releases.build import build_release
    from fairhaven.journeys.releases.build_plan import plan_build

    rooms = opened(folder)
    if plan:
        planned = plan_build(rooms, as_of=as_of, today=today())
        screen.show(planned, release_text.plan(planned), is_good=not planned.obstacles)
        return
    made = build_release(rooms, as_of=as_of, today=today(), by=actor(), progress=screen.progress)
    screen.show(results.BuiltRelease.of(made), release_text.built(made))


def list_releases(folder: Hub, *, screen: "Screen[list[results.ListedRelease]]") -> None:
    """Every release, oldest first."""
    from fairhaven.cli import release_results as results

    archive = opened(folder).archive
    found = archive.releases()
    current = archive.current() if found else None
    listed = [results.ListedRelease.of(release, current=release == current) for release in found]
    screen.show(listed, release_text.releases(listed, folder))


def show_release(
    folder: Hub,
    name: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="For example r0002.", show_default="the latest")
    ] = None,
    *,
    screen: "Screen[results.ShownRelease]",
) -> None:
    """What a release holds: tables, rows, where they came from, its hashes."""
    from fairhaven.cli import release_results as results

    found = results.ShownRelease.of(opened(folder).archive.release(name))
    screen.show(found, release_text.release(found))


def diff_releases(
    folder: Hub,
    older: Annotated[str | None, typer.Argument(metavar="OLDER", show_default="the one before the latest")] = None,
    newer: Annotated[str | None, typer.Argument(metavar="NEWER", show_default="the latest")] = None,
    *,
    screen: "Screen[results.ComparedReleases]",
) -> None:
    """Rows added, changed and gone between two releases, table by table."""
    from fairhaven.cli import release_results as results
    from fairhaven.journeys.releases.compare import compared

    earlier, later, changes = compared(opened(folder), older, newer, progress=screen.progress)
    found = results.ComparedReleases(older=earlier.name, newer=later.name, tables=changes)
    screen.show(found, release_text.changes(found))


def verify_releases(
    folder: Hub,
    name: Annotated[str | None, typer.Argument(metavar="RELEASE", show_default="all of them")] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A checkpoint of this hub's ledger that was kept elsewhere: was the ledger cut since?"
        ),
    ] = None,
    *,
    screen: "Screen[results.VerifiedReleases]",
) -> None:
    """Recompute every hash of a release, its files and its rows; say exactly what does not agree."""
    from fairhaven.cli import release_results as results
    from fairhaven.journeys.releases.compare import verified

    rooms = opened(folder)
    releases, problems = verified(rooms, name, checkpoint=checkpoint, progress=screen.progress)
    found = results.VerifiedReleases.of(releases, problems, rooms.ledger)
    screen.show(found, release_text.verified(found), is_good=not problems)


def erase(
    folder: Hub,
    person_key: Annotated[
        int | None, typer.Option("--person-key", metavar="K", help="The person_id in the releases.", show_default=False)
    ] = None,
    nhs_number_file: Annotated[
        Path | None,
        typer.Option(
            "--nhs-number-file",
            metavar="FILE|-",
            help="A file with the person's NHS number, or - for standard input: an NHS number stands in no command line.",
            show_default=False,
        ),
    ] = None,
    plan: Plan = False,
    *,
    screen: "Screen[results.Erased | results.ErasurePlan]",
) -> None:
    """Erase a person from everything that is kept: deliveries, vault, every release. The erasure itself is recorded."""
    from fairhaven.journeys.persons.erase import erase_person, person_with_nhs_number, plan_erasure

    if (person_key is None) == (nhs_number_file is None):
        raise typer.BadParameter(
            "give --person-key K or --nhs-number-file FILE, one of the two", param_hint="--person-key"
        )
    rooms = opened(folder)
    nhs_number = ""
    if nhs_number_file is not None:
        person_key, nhs_number = person_with_nhs_number(rooms, _first_text(nhs_number_file))
    assert person_key is not None
    if plan:
        planned = plan_erasure(rooms, person_key=person_key, nhs_number=nhs_number)
        screen.show(planned, release_text.erasure_plan(planned))
        return
    done = erase_person(rooms, person_key=person_key, nhs_number=nhs_number, by=actor(), progress=screen.progress)
    screen.show(done, release_text.erased(done))


def _first_text(path: Path) -> str:
    """The beginning of a file, or of standard input where the path is ``-``."""
    with nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb") as content:
        return content.read(_LONGEST_NUMBER).decode("utf-8-sig", "replace")


def trace(
    folder: Hub,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A CDM table, for example measurement.")],
    row_id: Annotated[int, typer.Argument(metavar="ROW_ID", help="The row's identifier in that table.")],
    name: ReleaseName = None,
    *,
    screen: "Screen[results.Trace]",
) -> None:
    """The way back from a row of a release to the file and line it came from, and the rule that made it."""
    from fairhaven.journeys.releases.trace_row import trace as find

    found = find(opened(folder), table=table, row_id=row_id, release=name)
    screen.show(found, release_text.trace(found))


def export(
    folder: Hub,
    form: Annotated[
        Literal["duckdb", "parquet"],
        typer.Option("--format", help="duckdb: one database file; parquet: a folder with a file for each table."),
    ],
    out: Annotated[Path, typer.Option(metavar="PATH", help="What to write; a folder must not exist yet.")],
    name: ReleaseName = None,
    force: Force = False,
    *,
    screen: "Screen[results.ExportedRelease]",
) -> None:
    """Write a release as a standard OMOP CDM 5.4 database, with its vocabulary, that any OHDSI tool opens."""
    from fairhaven.cli import release_results as results
    from fairhaven.journeys.releases.cdm_export import export_release

    rooms = opened(folder)
    place = output(out, command="export", force=force, rooms=rooms)
    release = export_release(rooms, name, out=place, form=form, progress=screen.progress)
    found = results.ExportedRelease(release=release.name, out=out, format=form, rows=release.rows)
    screen.show(found, [f"{found.release} is in {out}: {found.rows:,} rows and the vocabulary, as OMOP CDM 5.4."])
