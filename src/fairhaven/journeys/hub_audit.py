"""A hub's record of questions: every project's, under the hub's own policy and rules.

Questions are asked by the hub's own account or by those of its readers, who add each to a log of their own and change nothing.
How far the logs went is entered in the ledger by whoever may: what the ledger has seen can no longer be taken off unseen.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from fairhaven.journeys.model import Rooms
from fairhaven.kernel.accounts import account_name, why_refused
from fairhaven.kernel.codec import from_json, to_json
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotPermitted
from fairhaven.kernel.files import replacement_of
from fairhaven.kernel.progress import Progress
from fairhaven.ledger import Actor, Entry, EventKind, content_hashes
from fairhaven.query_audit import Asker, LogHead, QueryAudit, QuestionLogs, mark_in

_AUDIT = "query-audit.sqlite"


@dataclass(frozen=True, kw_only=True, slots=True)
class LogsSeen:
    """What the ledger has seen of the logs of questions.

    Args:
        record: the mark of the record that they belong to.
        logs: number of an account -> how far its log went.
    """

    record: str
    logs: Mapping[int, LogHead]


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountLog:
    """The log of what an account asked.

    Args:
        account: its number on this machine; name: its name there.
        lines: how many lines the hub has seen.
        is_whole: it still holds them.
    """

    account: int
    name: str
    lines: int
    is_whole: bool


@contextmanager
def open_audit(rooms: Rooms) -> Iterator[QueryAudit]:
    """The hub's record of questions.

    Raises:
        Invalid: it is damaged, or does not hold what the ledger has seen of it.
        NotAllowedNow: this account may not record questions, or not yet.
    """
    with _opened(rooms) as audit:
        if (seen := _seen(rooms)) is not None:
            if seen.record != audit.mark:
                raise Invalid(
                    f"{rooms.store / _AUDIT} is not the record of questions that the ledger has seen, so nobody knows what was answered. "
                    "Restore it from the hub's backup, with the logs beside it, or ask no more of these releases."
                )
            audit.check(seen.logs)
        yield audit


def has_audit(rooms: Rooms) -> bool:
    """Whether the hub has a record of questions."""
    return (rooms.store / _AUDIT).exists()


def record_questions(rooms: Rooms, *, by: Actor, progress: Progress) -> None:
    """Enter in the ledger how far the logs of questions go, if this account may, and say whose goes no further."""
    with open_audit(rooms) as audit:
        seen = LogsSeen(record=audit.mark, logs=audit.heads())
        for fault in audit.faults:
            progress.note(fault.text)
        if audit.is_own and seen.logs:
            rooms.ledger.append_change(EventKind.QUESTIONS, to_json(seen), by=by)


def take_in_earlier_answers(rooms: Rooms, asker: Asker) -> None:
    """Let the hub's record of questions, if it has one, know an opened project by all spellings of its names."""
    if has_audit(rooms):
        with open_audit(rooms) as audit:
            audit.take_in(asker)


def forget_in_audit(rooms: Rooms, person_keys: Sequence[int]) -> None:
    """Take persons out of the hub's record of questions, if it has one."""
    if has_audit(rooms):
        # The logs hold numbers only; what an account did to its own must not stand in an erasure's way.
        with QueryAudit(rooms.store / _AUDIT, rooms.settings.disclosure, rooms.settings.audit) as audit:
            audit.forget(person_keys)


def question_logs(rooms: Rooms) -> tuple[AccountLog, ...]:
    """The logs of all accounts that asked, whether they are whole or not.

    Raises:
        Invalid: the record is damaged, or a log cannot be read.
        NotAllowedNow: this account may not record questions, or not yet.
    """
    if not has_audit(rooms):
        return ()  # nobody has asked
    seen = _seen(rooms)
    with _opened(rooms) as audit:
        return tuple(
            AccountLog(account=account, name=account_name(account), lines=head.lines, is_whole=is_whole)
            for account, (head, is_whole) in audit.logs(seen.logs if seen else {}).items()
        )


def question_faults(rooms: Rooms) -> list[Fault]:
    """What of the record of questions is not as the ledger has seen it; every line of every log is read, and no table is believed.

    Raises:
        PermissionError: this account may not read the record.
    """
    if (seen := _seen(rooms)) is None:
        return []
    record = rooms.store / _AUDIT
    logs = QuestionLogs(record.with_suffix(""), mark=seen.record)
    faults = []
    if record.exists() and not os.access(record, os.R_OK):
        raise PermissionError(record)
    if mark_in(record) != seen.record:
        faults.append(Fault(path=_AUDIT, message="is damaged, missing, or not the record that the ledger has seen"))
    for account, head in seen.logs.items():
        if not logs.is_whole(account, head):
            path = logs.path(account).relative_to(rooms.store).as_posix()
            message = f"was cut off or altered: its first {head.lines:,} lines are not as the ledger has seen them"
            faults.append(Fault(path=path, message=message))
    return faults


def set_aside_log(rooms: Rooms, account: int, *, by: Actor) -> Entry:
    """Go on without an account's log that was cut, altered or taken away; what is left of it is kept, and the ledger has who decided.

    What the hub has seen of it stays answered. What was asked since is not known, so nobody can say what later answers reveal
    beside it.

    Raises:
        NotPermitted: this account is not the hub's own.
        NotAllowedNow: the log is whole, or there is none.
    """
    if not os.access(rooms.store, os.W_OK):
        raise NotPermitted(
            f"only the account that runs the hub may decide to go on without a log of questions; {why_refused(rooms.store)}"
        )
    broken = [each for each in question_logs(rooms) if each.account == account and not each.is_whole]
    if not broken:
        raise NotAllowedNow(
            f"the log of {account_name(account)} holds what the hub has seen of it, or there is none, so there is nothing to go on without. "
            f"`fairhaven cohort questions {rooms.folder}` lists the logs."
        )
    number = 1 + sum(entry.facts["account"] == account for entry in _set_aside(rooms))
    place = rooms.store / "query-audit-set-aside" / f"{account}-{number}.log"
    # Its end is decided by the entry; killed before what follows, the same command does it again.
    with _opened(rooms) as audit, audit.setting_aside(account) as left:
        if left is not None:
            with replacement_of(place) as file:
                shutil.copyfileobj(left, file)
        return rooms.ledger.append(
            EventKind.LOG_SET_ASIDE,
            {"account": account, "lines": broken[0].lines},
            by=by,
            files={} if left is None else content_hashes(rooms.store, [place]),
        )


@contextmanager
def _opened(rooms: Rooms) -> Iterator[QueryAudit]:
    """The record, whatever the ledger has seen of it."""
    settings = rooms.settings
    with QueryAudit(
        rooms.store / _AUDIT, settings.disclosure, settings.audit, is_shared=bool(settings.readers)
    ) as audit:
        yield audit


def _set_aside(rooms: Rooms) -> Sequence[Entry]:
    return rooms.ledger.entries_of(EventKind.LOG_SET_ASIDE)


def _seen(rooms: Rooms) -> LogsSeen | None:
    """What the ledger has seen last, without the logs that were set aside since."""
    entered = rooms.ledger.entries_of(EventKind.QUESTIONS)
    if not entered:
        return None
    seen = from_json(LogsSeen, entered[-1].facts, path="ledger")
    gone = {entry.facts["account"] for entry in _set_aside(rooms) if entry.number > entered[-1].number}
    return replace(seen, logs={account: head for account, head in seen.logs.items() if account not in gone})
