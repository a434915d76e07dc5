"""Every use case that changes anything says by whom."""

import ast
import inspect
from collections.abc import Callable, Iterator

import pytest

from fairhaven.archive import Archive
from fairhaven.hub.new_hub import make_hub
from fairhaven.intake import Intake
from fairhaven.journeys.cohorts import discover
from fairhaven.journeys.deliveries.receive import receive_delivery, take_vocabulary
from fairhaven.journeys.demonstration import demonstrate
from fairhaven.journeys.hub_keys import rotate_keys
from fairhaven.journeys.network.answer import answer_tasks
from fairhaven.journeys.network.serve import add_member, put_question, remove_member, serve_network
from fairhaven.journeys.persons.erase import erase_person
from fairhaven.journeys.releases.build import build_release
from fairhaven.ledger import Actor, Ledger
from tests.architecture.source_tree import dotted, modules

CHANGING: tuple[Callable[..., object], ...] = (
    *(
        make_hub,
        demonstrate,
        receive_delivery,
        take_vocabulary,
        build_release,
        rotate_keys,
        erase_person,
        add_member,
        remove_member,
        put_question,
        serve_network,
        discover.ask,
        answer_tasks,
    ),
    *(Ledger.append, Ledger.append_once, Ledger.append_change, Ledger.append_changed, Intake.receive),
    *(Archive.write, Archive.publish, Archive.erase, Archive.resume, Archive.roll_back),
)

WRITING = {
    "holding",
    "write_json",
    "write_atomically",
    "ledger.append",
    "ledger.append_once",
    "ledger.append_change",
    "ledger.append_changed",
    "ledger.change",
    "ledger.take_over",
    "QueryAudit",
    "TaskQueue",
    "work",
}
"""What a use case calls that changes a hub: it takes a lock, writes a file, enters something in the ledger, or opens a
record that is written to: of questions, of a network, of a worker's tasks."""

FOLLOWING = {
    "hub_locks.holding": "nobody where what is made follows from what is there",
    "cohorts.discover.budget_of": "reads",
    "hub_audit.forget_in_audit": "the erasure says by whom",
    "hub_audit.take_in_earlier_answers": "whoever opens the project says by whom",
    "hub_audit.open_audit": "whoever asks says on whose behalf",
    "hub_audit.question_logs": "reads",
    "persons.recovery.carry_out": "the erasure that is carried out says by whom",
    "deliveries.receive.recover_vocabulary": "the loading that is ended says by whom",
}
"""Use cases that write and name nobody: what they make is the same whoever asks for it, or names its decider itself."""


@pytest.mark.parametrize("use_case", CHANGING, ids=lambda use_case: use_case.__qualname__)
def test_what_changes_a_hub_says_by_whom(use_case: Callable[..., object]) -> None:
    by = inspect.signature(use_case).parameters["by"]
    assert (by.kind, by.default, by.annotation) == (by.KEYWORD_ONLY, by.empty, Actor)


def test_a_use_case_that_writes_has_an_actor_or_is_known_to_need_none() -> None:
    functions = list(_functions())
    writing: set[str] = set()
    reached = WRITING
    while reached - writing:
        writing |= reached
        reached = {function.name for _, function in functions if writing & set(_called(function))}
    nameless = {
        place
        for place, function in functions
        if function.name in writing and not function.name.startswith("_") and not _has_actor(function)
    }
    assert nameless == set(FOLLOWING), "give it a keyword `by`, or say above why it needs none"


def test_only_a_door_says_who_somebody_is() -> None:
    makers = {module.name for module in modules() for name, _ in module.calls() if name == "Actor"}
    assert makers == {"fairhaven.cli.arguments"}


def _functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Every function of the journeys and of the hub's wiring by its place."""
    for module in modules():
        if module.room in ("journeys", "hub"):
            place = module.name.removeprefix("fairhaven.").removeprefix("journeys.")
            for node in module.tree.body:
                if isinstance(node, ast.FunctionDef):
                    yield f"{place}.{node.name}", node


def _called(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = dotted(node.func)
            yield name if "." not in name else ".".join(name.split(".")[-2:])


def _has_actor(function: ast.FunctionDef) -> bool:
    """True where it must be told by whom: neither another type nor a default will do."""
    arguments = zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
    return ("by", "Actor", True) in [
        (argument.arg, ast.unparse(argument.annotation) if argument.annotation else "", default is None)
        for argument, default in arguments
    ]
