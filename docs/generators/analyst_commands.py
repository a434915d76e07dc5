"""The reference page of what accounts beside the hub's own can do: what the tests try as such accounts, command by command."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Leave(StrEnum):
    """Whose account a command works for."""

    EVERYBODY = "every account"
    READERS = "the readers"
    HUB = "the hub's own account"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountCommand:
    """A command as an account beside the hub's own would give it.

    Args:
        words: that call it.
        arguments: that it is tried with; what is in capitals stands for a path or a number.
        leave: whose account it works for.
        needs: what it opens or changes, which tells why.
    """

    words: str
    arguments: str
    leave: Leave
    needs: str


def _tried(words: str, arguments: str, leave: Leave, needs: str) -> AccountCommand:
    return AccountCommand(words=words, arguments=arguments, leave=leave, needs=needs)


_OWN = "nothing of a hub that is there"
_TEXT = "reads the hub's own text"
_RELEASE = "reads a release and the vocabulary"
_ASKS = "reads a release, and adds to this account's log of questions"
_LOCKED = "changes what others must not change meanwhile, so it takes a lock"
_NETWORK = "reads or changes the network's record, which holds its members' secrets as hashes"

COMMANDS: Sequence[AccountCommand] = (
    _tried("init", "OUT/hub", Leave.EVERYBODY, _OWN),
    _tried("demo", "DIR", Leave.HUB, f"goes on with what it made; in a new folder it needs {_OWN}"),
    _tried("linkage trial", "PERSONS --truth person", Leave.EVERYBODY, _OWN),
    _tried("cohort explain", "COHORT", Leave.EVERYBODY, _OWN),
    _tried("check", "DIR", Leave.READERS, _TEXT),
    _tried("terms show", "DIR", Leave.READERS, _TEXT),
    _tried("terms diff", "DIR --earlier DIR", Leave.READERS, _TEXT),
    _tried("ledger show", "DIR", Leave.READERS, "reads the ledger as it is published"),
    _tried("ledger verify", "DIR", Leave.READERS, "reads the ledger as it is published"),
    _tried("ledger checkpoint", "DIR", Leave.READERS, "reads the ledger as it is published"),
    _tried("ledger prove", "DIR 1", Leave.READERS, "reads the ledger as it is published"),
    _tried("release list", "DIR", Leave.READERS, "reads the ledger and the manifests"),
    _tried("release show", "DIR", Leave.READERS, "reads the ledger and a manifest"),
    _tried("release diff", "DIR", Leave.READERS, _RELEASE),
    _tried("release verify", "DIR", Leave.READERS, "reads the ledger and releases; whether what was delivered is there is not looked at"),
    _tried("quality", "DIR", Leave.READERS, _RELEASE),
    _tried("report", "DIR --out OUT/report.html", Leave.READERS, "reads a release and what describes it; one that an earlier version made does not say what is in quarantine, and is the hub's own account's"),
    _tried("export", "DIR --format parquet --out OUT/cdm", Leave.READERS, _RELEASE),
    _tried("cohort count", "DIR COHORT --out OUT/counts.json", Leave.READERS, _ASKS),
    _tried("cohort count", "DIR COHORT --project P", Leave.READERS, _ASKS),
    _tried("cohort report", "DIR COHORT --out OUT/attrition.html", Leave.READERS, _RELEASE),
    _tried("cohort generate", "DIR COHORT --out OUT/rows.parquet", Leave.READERS, _RELEASE),
    _tried("cohort budget", "DIR P", Leave.READERS, "reads the logs of questions"),
    _tried("cohort questions", "DIR", Leave.READERS, "reads the logs of questions"),
    _tried("cohort questions", "DIR --set-aside 0", Leave.HUB, "decides for the hub, in the ledger"),
    _tried("project open", "DIR R --organisation O", Leave.HUB, "decides for the hub, in its text and the ledger"),
    _tried("upgrade", "DIR", Leave.HUB, _LOCKED),
    _tried("receive", "DIR registrar_deaths PERSONS", Leave.HUB, _LOCKED),
    _tried("build", "DIR", Leave.HUB, _LOCKED),
    _tried("build", "DIR --plan", Leave.HUB, "reads what was delivered"),
    _tried("erase", "DIR --person-key 1", Leave.HUB, _LOCKED),
    _tried("erase", "DIR --person-key 1 --plan", Leave.HUB, "reads the identity vault, under its key"),
    _tried("trace", "DIR condition_occurrence ROW", Leave.HUB, "reads what was delivered; a row that Fairhaven made itself (an era) is told to the readers"),
    _tried("vocabulary load", "DIR DIR", Leave.HUB, _LOCKED),
    _tried("keys check", "DIR", Leave.HUB, "reads the keys"),
    _tried("keys rotate", "DIR", Leave.HUB, _LOCKED),
    _tried("store verify", "DIR", Leave.HUB, "reads every file of the store"),
    _tried("answer", "DIR --task-api http://127.0.0.1:9 --collection c --once", Leave.HUB, "writes what is still to be handed in"),
    _tried("network serve", "DIR --port 0", Leave.HUB, _NETWORK),
    _tried("network join", "DIR c", Leave.HUB, _NETWORK),
    _tried("network leave", "DIR c", Leave.HUB, _NETWORK),
    _tried("network ask", "DIR QUESTION", Leave.HUB, _NETWORK),
    _tried("network results", "DIR u", Leave.HUB, _NETWORK),
)  # fmt: skip
"""Every command, as the tests try it as a member of the readers' group and as an account that is in no such group."""


def page() -> str:
    """The page as Markdown."""
    lines = [
        "# Commands by account",
        "",
        (
            "Made from what the tests try (`docs/generators/analyst_commands.py`), by `make docs`: each command is given as an account of the group that "
            "`readers` of hub.toml names, and as one that is in no such group. DIR is a hub of another account, OUT a folder of one's own."
        ),
        "",
        (
            "Where it is not theirs, it ends with exit code 1 and `not_permitted`: whose file it needed, who asked, and what to do "
            "([who may read a hub](../how-to/accounts.md))."
        ),
        "",
        "| command | works for | what it needs |",
        "|---|---|---|",
        *(f"| `fairhaven {each.words} {each.arguments}` | {each.leave} | {each.needs} |" for each in COMMANDS),
    ]
    return "\n".join(lines) + "\n"
