"""The network in words: what a worker did, who is a member, what collections said."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from fairhaven.cli import screen

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.cli.network_results import JoinedCollection, QuestionReply, WorkerSummary


def answering(done: "WorkerSummary") -> Iterator[str]:
    """What a run of the worker did."""
    came = f"{done.received:,} tasks came; {done.answered:,} answered, {done.failed:,} answered with an error"
    yield f"{came}, {done.posted:,} results handed in."
    if done.skipped:
        yield f"{done.skipped:,} could not be read and name no task."
    if done.declined:
        yield f"{done.declined:,} results were not wanted: the server has an answer or knows no such task."
    if done.unposted or done.unanswered:
        yield f"Kept for the next run: {done.unanswered:,} tasks and {done.unposted:,} results."
    if done.trouble:
        yield f"At the end the server could not be worked with: {done.trouble}."


def joined(made: "JoinedCollection") -> list[str]:
    """A new member's secret."""
    return [
        f"{made.collection} is a member.",
        f"  name    {made.username}",
        f"  secret  {made.password}",
        "",
        "The secret is shown only now; this hub keeps its hash.",
    ]


def replies(found: "Sequence[QuestionReply]") -> list[Table]:
    """What collections have said."""
    rows = [(each.collection, each.state, each.count) for each in found]
    return [screen.table("", ["collection", "", "persons"], rows)]
