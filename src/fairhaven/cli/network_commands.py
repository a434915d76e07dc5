"""Commands about other hubs: answer a task API, and run one for a network of hubs."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fairhaven.cli import network_text
from fairhaven.cli.arguments import Hub, actor, opened, today
from fairhaven.cli.screen import Screen

if TYPE_CHECKING:
    from fairhaven.cli import network_results as results

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
    *,
    screen: "Screen[results.WorkerSummary]",
) -> None:
    """Answer the national Cohort Discovery tool: fetch tasks, count, hand in protected results. Only ever calls out."""
    from fairhaven.journeys.network.answer import answer_tasks
    from fairhaven.network import Connection, read_credentials

    rooms = opened(folder)
    connection = Connection(url=task_api, collection=collection, credentials=read_credentials())
    done = answer_tasks(rooms, connection, once=once, today=today, by=actor(), progress=screen.progress)
    is_good = not (done.trouble or done.unposted or done.unanswered)
    screen.show(done, network_text.answering(done), is_good=is_good)


def serve(
    folder: Hub,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535, help="At which port; 0 takes a free one.")] = 8743,
    certificate: Annotated[
        Path | None, typer.Option(metavar="PEM", help="The server's certificate; needed beyond this machine.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="PEM", help="Its key.")] = None,
    *,
    screen: "Screen[results.ServedNetwork]",
) -> None:
    """Hand out tasks to the collections of this hub's network and take their answers, until Ctrl-C."""
    from fairhaven.cli import network_results as results
    from fairhaven.journeys.network.serve import serve_network

    def ready(address: str) -> None:
        screen.show(results.ServedNetwork(address=address), ())
        screen.progress.note(f"Serving {address}; Ctrl-C ends it.")

    with suppress(KeyboardInterrupt):
        serve_network(opened(folder), host=host, port=port, certificate=certificate, key=key, by=actor(), ready=ready)


def join(
    folder: Hub,
    collection: Collection,
    renew: Annotated[bool, typer.Option("--renew", help="Give a member another secret.")] = False,
    *,
    screen: "Screen[results.JoinedCollection]",
) -> None:
    """Let a collection join this hub's network, and show its secret, once."""
    from fairhaven.cli import network_results as results
    from fairhaven.journeys.network.serve import add_member

    made = add_member(opened(folder), collection, renew=renew, by=actor())
    joined = results.JoinedCollection(collection=collection, username=made.username, password=made.password)
    screen.show(joined, network_text.joined(joined))


def leave(folder: Hub, collection: Collection, *, screen: "Screen[results.LeftCollection]") -> None:
    """End a collection's membership; its answers are kept."""
    from fairhaven.cli import network_results as results
    from fairhaven.journeys.network.serve import remove_member

    remove_member(opened(folder), collection, by=actor())
    screen.show(results.LeftCollection(collection=collection), [f"{collection} is no longer a member."])


def ask(
    folder: Hub,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Cohort Discovery (RQuest) query.")],
    to: Annotated[
        list[str] | None, typer.Option(metavar="C", help="A collection to ask; again for another.", show_default="all")
    ] = None,
    *,
    screen: "Screen[results.NetworkQuestion]",
) -> None:
    """Put a question to collections of this hub's network."""
    from fairhaven.journeys.network.serve import put_question

    asked = put_question(opened(folder), file, to=to, by=actor())
    where = f"fairhaven network results {folder} {asked.uuid}"
    screen.show(asked, [f"Asked {', '.join(asked.collections)}.", f"See what they say: {where}"])


def replies(
    folder: Hub,
    uuid: Annotated[str, typer.Argument(metavar="UUID", help="The question, as `network ask` named it.")],
    *,
    screen: "Screen[list[results.QuestionReply]]",
) -> None:
    """What the collections of this hub's network have said to a question."""
    from fairhaven.cli import network_results as results
    from fairhaven.journeys.network.serve import replies as find_replies

    found = [results.QuestionReply.of(reply) for reply in find_replies(opened(folder), uuid, by=actor())]
    screen.show(found, network_text.replies(found))
