"""Commands about the ledger: what was done and by whom, and that nothing of it was changed."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import ledger_text
from fairhaven.cli.arguments import Force, Hub, opened, output
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import ledger_results as results

Kept = Annotated[
    Path | None,
    typer.Option("--checkpoint", metavar="FILE", help="A checkpoint of this ledger that was kept elsewhere."),
]
Out = Annotated[Path | None, typer.Option(metavar="FILE", help="Write it to this file.", show_default="on the screen")]


def show_ledger(
    folder: Hub,
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="Only entries of this kind, for example release.")
    ] = None,
    last: Annotated[int, typer.Option(min=1, help="So many entries, the newest.")] = 20,
    *,
    screen: "Screen[results.LedgerEntries]",
) -> None:
    """What was done in a hub, when and by whom."""
    from fairhaven.cli import ledger_results as results

    found = results.LedgerEntries.of_kind(opened(folder).ledger.entries(), kind=kind, last=last)
    screen.show(found, ledger_text.entries(found))


def verify_ledger(folder: Hub, checkpoint: Kept = None, *, screen: "Screen[results.VerifiedLedger]") -> None:
    """Compute every hash of the ledger again, and compare it with its signed head, and with one that was kept elsewhere."""
    from fairhaven.cli import ledger_results as results

    found = results.VerifiedLedger.of(opened(folder).ledger, checkpoint)
    screen.show(found, ledger_text.verified(found), is_good=not found.problems)


def show_checkpoint(
    folder: Hub, out: Out = None, force: Force = False, *, screen: "Screen[results.SignedCheckpoint]"
) -> None:
    """The ledger's signed head: whoever keeps it can tell later whether the ledger was cut or written anew."""
    from fairhaven.cli import ledger_results as results

    rooms = opened(folder)
    found = results.SignedCheckpoint.of(rooms.ledger)
    if out:
        place = output(out, command="ledger checkpoint", force=force, rooms=rooms)
        place.write(found.checkpoint)
    screen.show(found, ledger_text.checkpoint(found, out))


def prove_entry(
    folder: Hub,
    number: Annotated[int, typer.Argument(metavar="ENTRY", help="The entry's number.")],
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Prove as well that the ledger goes on from this earlier checkpoint."),
    ] = None,
    out: Out = None,
    force: Force = False,
    *,
    screen: "Screen[results.EntryProof]",
) -> None:
    """Write the proof that an entry is in the ledger, for somebody who has a checkpoint and no Fairhaven."""
    from fairhaven.kernel.codec import to_json
    from fairhaven.kernel.files import json_text

    rooms = opened(folder)
    found = rooms.ledger.prove(number, since=checkpoint)
    if out:
        place = output(out, command="ledger prove", force=force, rooms=rooms)
        place.write(json_text(to_json(found)))
    screen.show(found, ledger_text.proof(found, out))
