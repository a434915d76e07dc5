"""Commands about releases: build, list, show, compare, verify, erase, trace, export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fairhaven.cli import result_text, screen
from fairhaven.cli.arguments import AsJson, Hub, Plan, ReleaseName, actor, day

if TYPE_CHECKING:
    from fairhaven.archive import Release
    from fairhaven.journeys.releases.build import Built


def release_json(made: "Built") -> dict[str, Any]:
    """A built release for a machine."""
    return _short(made.release) | {
        "is_new": made.is_new,
        "tables": {name: table.rows for name, table in made.release.tables.items()},
        "flow": made.release.facts.row_flow,
        "linkage": made.release.facts.linkage,
    }


def _short(release: "Release") -> dict[str, Any]:
    persons = release.tables["person"].rows if "person" in release.tables else 0
    return {
        "name": release.name,
        "as_of": release.as_of,
        "persons": persons,
        "rows": release.rows,
        "content": release.content,
        "hash": release.hash,
    }


def build(
    folder: Hub,
    plan: Plan = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of",
            metavar="DATE",
            help="The day that the release speaks for.",
            show_default="the latest delivery's day",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Build a new release from all that was received. Interrupted, it goes on where it stopped."""
    as_of_day = day(as_of)
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.releases import build, build_plan

        rooms = open_hub(folder)
        planned = build_plan.plan(rooms, as_of=as_of_day) if plan else None
        made = None if plan else build.build(rooms, as_of=as_of_day, by=actor(), progress=progress)
    if as_json:
        screen.show_json(planned or (made and release_json(made)))
    else:
        screen.show_lines(result_text.plan(planned) if planned else result_text.built(made) if made else [])
    if planned and planned.obstacles:
        raise typer.Exit(screen.REFUSED)


def list_releases(folder: Hub, as_json: AsJson = False) -> None:
    """Every release, oldest first."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub

        archive = open_hub(folder).archive
        found = archive.releases()
        current = archive.current().name if found else ""
    if as_json:
        screen.show_json([_short(release) | {"current": release.name == current} for release in found])
        return
    if not found:
        screen.show_lines([f"No release yet. Make one with `fairhaven build {folder}`."])
        return
    screen.show_table(
        "",
        ["release", "as of", "persons", "rows", "content", ""],
        [
            (
                row["name"],
                row["as_of"],
                row["persons"],
                row["rows"],
                row["content"][:12],
                "current" * (row["name"] == current),
            )
            for row in map(_short, found)
        ],
    )


def show_release(
    folder: Hub,
    name: Annotated[
        str | None, typer.Argument(metavar="RELEASE", help="For example r0002.", show_default="the latest")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What a release holds: tables, rows, where they came from, its hashes."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.release.manifest import manifest_of

        found = open_hub(folder).archive.release(name)
    if as_json:
        screen.show_json(manifest_of(found))
        return
    screen.show_lines(
        [
            f"{found.name}, as of {found.as_of}",
            f"content     {found.content}",
            f"manifest    {found.hash}",
            f"previous    {found.previous.strip('0') or 'none'}",
            f"vocabulary  {found.facts.vocabulary}",
            f"code        {found.facts.code_version}",
            "",
        ]
    )
    screen.show_table(
        "",
        ["table", "rows", "files", "content"],
        [
            (name, table.rows, len(table.files), table.content[:12])
            for name, table in found.tables.items()
            if table.rows
        ],
    )
    screen.show_lines([""])
    columns = (
        "source",
        "table",
        "received",
        "landed",
        "quarantined",
        "opted_out",
        "superseded",
        "withdrawn",
        "current",
    )
    screen.show_table(
        "",
        [name.replace("_", " ") for name in columns],
        [[getattr(row, name) for name in columns] for row in found.facts.row_flow],
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
        from fairhaven.journeys.releases import compare

        earlier, later, changes = compare.compared(open_hub(folder), older, newer, progress=progress)
    if as_json:
        screen.show_json({"older": earlier.name, "newer": later.name, "tables": changes})
        return
    screen.show_table(
        f"From {earlier.name} to {later.name}",
        ["table", "added", "changed", "gone"],
        [(name, change.added, change.changed, change.gone) for name, change in changes.items() if not change.is_empty],
    )
    if all(change.is_empty for change in changes.values()):
        screen.show_lines(["No table differs."])


def verify_releases(
    folder: Hub,
    name: Annotated[str | None, typer.Argument(metavar="RELEASE", show_default="all of them")] = None,
    as_json: AsJson = False,
) -> None:
    """Recompute every hash of a release, its files and its rows; say exactly what does not agree."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.releases import compare

        found, problems = compare.verified(open_hub(folder), name, progress=progress)
    names = [release.name for release in found]
    files = {path for release in found for table in release.tables.values() for path in table.paths}
    if as_json:
        screen.show_json({"releases": names, "files": len(files), "problems": problems})
    elif problems:
        screen.show_lines(["Something was altered or lost:", *(f"  {problem}" for problem in problems)])
    elif not names:
        screen.show_lines(["There is no release yet, so there is nothing to verify."])
    else:
        screen.show_lines([f"Verified: {', '.join(names)}. {len(files):,} files, every hash agrees."])
    if problems:
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
        from fairhaven.journeys.persons import erase

        rooms = open_hub(folder)
        planned = erase.plan(rooms, person_key=person_key) if plan else None
        done = None if plan else erase.erase(rooms, person_key=person_key, by=actor(), progress=progress)
    if as_json:
        screen.show_json(planned or done)
        return
    screen.show_lines(result_text.erasure_plan(planned) if planned else result_text.erased(done) if done else [])


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
        from fairhaven.journeys.releases.trace_row import trace as find

        found = find(open_hub(folder), table=table, row_id=row_id, release=name)
    if as_json:
        screen.show_json(found)
        return
    screen.show_lines(result_text.trace(found))


def export(
    folder: Hub,
    form: Annotated[
        str, typer.Option("--format", help="duckdb: one database file; parquet: a folder with a file for each table.")
    ],
    out: Annotated[Path, typer.Option(metavar="PATH", help="What to write; it must not exist yet.")],
    name: ReleaseName = None,
    as_json: AsJson = False,
) -> None:
    """Write a release as a standard OMOP CDM 5.4 database, with its vocabulary, that any OHDSI tool opens."""
    if form not in ("duckdb", "parquet"):
        raise typer.BadParameter("is duckdb or parquet", param_hint="--format")
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.releases.compare import export as write

        shown = write(open_hub(folder), name, out=out, form=form, progress=progress)
    if as_json:
        screen.show_json(shown)
        return
    screen.show_lines(
        [f"{shown['release']} is in {shown['out']}: {shown['rows']:,} rows and the vocabulary, as OMOP CDM 5.4."]
    )
