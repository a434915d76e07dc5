"""Commands about releases: build, list, show, compare, verify, erase, trace, export."""

from pathlib import Path
from typing import Annotated

import typer

from fairhaven.cli import screen
from fairhaven.cli.words import AsJson, Hub, Plan, ReleaseName, day


def build(
    folder: Hub,
    plan: Plan = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DATE", help="The day that the release speaks for.", show_default="the latest delivery's day"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a new release from all that was received. Interrupted, it goes on where it stopped."""
    as_of_day = day(as_of)
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys import building

        rooms = open_hub(folder)
        shown = (
            building.plan(rooms, as_of=as_of_day)
            if plan
            else building.build(rooms, as_of=as_of_day, progress=progress)
        )
    if as_json:
        screen.show_json(shown.to_json())
        return
    screen.show_lines(shown.lines())


def list_releases(folder: Hub, as_json: AsJson = False) -> None:
    """Every release, oldest first."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys import releases

        rows = releases.listed(open_hub(folder))
    if as_json:
        screen.show_json(rows)
        return
    if not rows:
        screen.show_lines([f"No release yet. Make one with `fairhaven build {folder}`."])
        return
    screen.show_table(
        "",
        ["release", "as of", "persons", "rows", "content", ""],
        [
            (row["name"], row["as_of"], row["persons"], row["rows"], row["content"][:12], "current" if row["current"] else "")
            for row in rows
        ],
    )


def show_release(
    folder: Hub,
    name: Annotated[str | None, typer.Argument(metavar="RELEASE", help="For example r0002.", show_default="the latest")] = None,
    as_json: AsJson = False,
) -> None:
    """What a release holds: tables, rows, where they came from, its hashes."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys import releases

        shown = releases.shown(open_hub(folder), name)
    if as_json:
        screen.show_json(shown)
        return
    screen.show_lines(
        [
            f"{shown['name']}, as of {shown['as_of']}",
            f"content   {shown['content']}",
            f"manifest  {shown['hash']}",
            f"previous  {shown['previous'] or 'none'}",
            "",
        ]
    )
    screen.show_table(
        "", ["table", "rows", "files", "content"],
        [(t["table"], t["rows"], t["files"], t["content"][:12]) for t in shown["tables"]],
    )
    screen.show_lines([""])
    screen.show_table(
        "", ["source", "received", "landed", "quarantined", "opted out"],
        [(f["source"], f["received"], f["landed"], f["quarantined"], f["opted_out"]) for f in shown["flow"]],
    )


def diff_releases(
    folder: Hub,
    older: Annotated[str | None, typer.Argument(metavar="OLDER", show_default="the one before the latest")] = None,
    newer: Annotated[str | None, typer.Argument(metavar="NEWER", show_default="the latest")] = None,
    as_json: AsJson = False,
) -> None:
    """Rows added, changed and gone between two releases, table by table."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys import releases

        shown = releases.compared(open_hub(folder), older, newer, progress=progress)
    if as_json:
        screen.show_json(shown)
        return
    screen.show_table(
        f"From {shown['older']} to {shown['newer']}",
        ["table", "added", "changed", "gone"],
        [(row["table"], row["added"], row["changed"], row["gone"]) for row in shown["tables"]],
    )


def verify_releases(
    folder: Hub,
    name: Annotated[str | None, typer.Argument(metavar="RELEASE", show_default="all of them")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every hash of a release, its files and its rows; say exactly what does not agree."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys import releases

        shown = releases.verified(open_hub(folder), name, progress=progress)
    if as_json:
        screen.show_json(shown)
    elif shown["problems"]:
        screen.show_lines(["Something was altered or lost:", *(f"  {problem}" for problem in shown["problems"])])
    else:
        screen.show_lines([f"Verified: {', '.join(shown['releases']) or 'there is no release yet'}. {shown['files']:,} files, every hash agrees."])
    if shown["problems"]:
        raise typer.Exit(screen.REFUSED)


def erase(
    folder: Hub,
    person_key: Annotated[int, typer.Option("--person-key", metavar="K", help="The person_id in the releases.")],
    plan: Plan = False,
    as_json: AsJson = False,
) -> None:
    """Erase a person from everything that is kept: deliveries, vault, every release. The erasure itself is recorded."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys import erasing

        rooms = open_hub(folder)
        shown = (
            erasing.plan(rooms, person_key=person_key)
            if plan
            else erasing.erase(rooms, person_key=person_key, progress=progress)
        )
    if as_json:
        screen.show_json(shown.to_json())
        return
    screen.show_lines(shown.lines())


def trace(
    folder: Hub,
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A CDM table, for example measurement.")],
    row_id: Annotated[int, typer.Argument(metavar="ROW_ID", help="The row's identifier in that table.")],
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """The way back from a row of a release to the file and line it came from, and the rule that made it."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.tracing import trace as find

        shown = find(open_hub(folder), table=table, row_id=row_id, release=name)
    if as_json:
        screen.show_json(shown.to_json())
        return
    screen.show_lines(shown.lines())


def export(
    folder: Hub,
    format: Annotated[str, typer.Option(help="duckdb: one database file; parquet: a folder with a file for each table.")],  # noqa: A002
    out: Annotated[Path, typer.Option(metavar="PATH", help="What to write; it must not exist yet.")],
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """Write a release as a standard OMOP CDM 5.4 database, with its vocabulary, that any OHDSI tool opens."""
    if format not in ("duckdb", "parquet"):
        raise typer.BadParameter("is duckdb or parquet", param_hint="--format")
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.releases import export as write

        shown = write(open_hub(folder), name, out=out, form=format, progress=progress)
    if as_json:
        screen.show_json(shown)
        return
    screen.show_lines([f"{shown['release']} is in {shown['out']}: {shown['rows']:,} rows in {shown['tables']} tables."])
