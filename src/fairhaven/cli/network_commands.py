"""Commands about other hubs: answer a task API, and run one for a network of hubs."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import screen
from fairhaven.cli.arguments import AsJson, Hub, actor, today

if TYPE_CHECKING:
    from fairhaven.network import WorkerSummary
    from fairhaven.network.server import CollectionReply

Collection = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.", show_default=False)]


def answer(
    folder: Hub,
    task_api: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="What comes before /task, for example https://hub.example/link_connector_api. Name and secret are read "
            "from FAIRHAVEN_TASK_API_USERNAME and _PASSWORD, or from the file that FAIRHAVEN_TASK_API_SECRET_FILE names.",
        ),
    ],
    collection: Annotated[str, typer.Option(metavar="C", help="The collection that this hub answers for.")],
    once: Annotated[bool, typer.Option("--once", help="End when no task waits, instead of asking on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Answer the national Cohort Discovery tool: fetch tasks, count, hand in protected results. Only ever calls out."""
    with screen.errors_become_exit_codes(as_json=as_json), screen.progress() as progress:
        from fairhaven.hub import open_hub
        from fairhaven.journeys.network.answer import answer as answer_tasks
        from fairhaven.network import Connection, read_credentials

        rooms = open_hub(folder)
        connection = Connection(url=task_api, collection=collection, credentials=read_credentials())
        done = answer_tasks(rooms, connection, once=once, today=today, progress=progress)
    if as_json:
        screen.show_json(done)
    else:
        screen.show_lines(_summary(done))
    if done.trouble or done.unposted or done.unanswered:
        raise typer.Exit(screen.REFUSED)


def _summary(done: "WorkerSummary") -> list[str]:
    came = f"{done.received:,} tasks came; {done.answered:,} answered, {done.failed:,} answered with an error"
    lines = [f"{came}, {done.posted:,} results handed in."]
    if done.skipped:
        lines.append(f"{done.skipped:,} could not be read and name no task.")
    if done.declined:
        lines.append(f"{done.declined:,} results were not wanted: the server has an answer or knows no such task.")
    if done.unposted or done.unanswered:
        lines.append(f"Kept for the next run: {done.unanswered:,} tasks and {done.unposted:,} results.")
    if done.trouble:
        lines.append(f"At the end the server could not be worked with: {done.trouble}.")
    return lines


def serve(
    folder: Hub,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="At which port; 0 takes a free one.")] = 8743,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The server's certificate; needed beyond this machine.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its key.")] = None,
) -> None:
    """Hand out tasks to the collections of this hub's network and take their answers, until Ctrl-C."""
    with screen.errors_become_exit_codes(as_json=False):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.network.serve import serve_network

        with suppress(KeyboardInterrupt):
            serve_network(
                open_hub(folder),
                host=host,
                port=port,
                certificate=certificate,
                key=key,
                by=actor(),
                ready=lambda address: screen.say(f"Serving {address}; Ctrl-C ends it."),
            )


def join(
    folder: Hub,
    collection: Collection,
    renew: Annotated[bool, typer.Option("--renew", help="Give a member another secret.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let a collection join this hub's network, and show its secret, once."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.network.serve import join as add_member

        made = add_member(open_hub(folder), collection, renew=renew, by=actor())
    if as_json:
        screen.show_json({"collection": collection, "username": made.username, "password": made.password})
        return
    screen.show_lines(
        [
            f"{collection} is a member.",
            f"  name    {made.username}",
            f"  secret  {made.password}",
            "",
            "The secret is shown only now; this hub keeps its hash.",
        ]
    )


def leave(folder: Hub, collection: Collection) -> None:
    """End a collection's membership; its answers stay."""
    with screen.errors_become_exit_codes(as_json=False):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.network.serve import leave as remove_member

        remove_member(open_hub(folder), collection, by=actor())
    screen.show_lines([f"{collection} is no longer a member."])


def ask(
    folder: Hub,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Cohort Discovery (RQuest) query.")],
    to: Annotated[
        list[str] | None, typer.Option(metavar="C", help="A collection to ask; again for another.", show_default="all")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put a question to collections of this hub's network."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.network.serve import ask as put_question

        asked = put_question(open_hub(folder), file, to=to, by=actor())
    if as_json:
        screen.show_json(asked)
        return
    screen.show_lines(
        [
            f"Asked {', '.join(asked.collections)}.",
            f"See what they say: fairhaven network results {folder} {asked.uuid}",
        ]
    )


def results(
    folder: Hub,
    uuid: Annotated[str, typer.Argument(metavar="UUID", help="The question, as `network ask` named it.")],
    as_json: AsJson = False,
) -> None:
    """What the collections of this hub's network have said to a question."""
    with screen.errors_become_exit_codes(as_json=as_json):
        from fairhaven.hub import open_hub
        from fairhaven.journeys.network.serve import replies as find_replies

        replies = find_replies(open_hub(folder), uuid, by=actor())
    if as_json:
        screen.show_json([_reply(each) for each in replies])
        return
    screen.show_table(
        "",
        ["collection", "", "persons"],
        [(each.collection, each.standing.value, each.result.count if each.result else None) for each in replies],
    )


def _reply(each: "CollectionReply") -> dict[str, object]:
    found: dict[str, object] = {"collection": each.collection, "standing": each.standing.value}
    if each.result is not None:
        files = [{"name": file.name, "rows": file.rows()} for file in each.result.files]
        found |= {"count": each.result.count, "message": each.result.message, "files": files}
    return found
