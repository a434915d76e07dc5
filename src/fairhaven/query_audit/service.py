"""The one door for counts that are given to people: every question goes through here, and is recorded before it is answered."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from fairhaven.disclosure.policy import Policy
from fairhaven.disclosure.primary_suppression import Protected, protect
from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound
from fairhaven.query_audit.audit_rules import AuditRules, CoalitionScope, Mode
from fairhaven.query_audit.coalition import Coalition
from fairhaven.query_audit.differential_privacy import noisy_count
from fairhaven.query_audit.model import THE_HUB, Asker, Budget, Decision, Outcome, Verdict, VerdictKind, folded
from fairhaven.query_audit.near_releases import NearReleases
from fairhaven.query_audit.question_log import (
    LogFault,
    LoggedCell,
    LoggedQuestion,
    LogHead,
    NewLine,
    QuestionLogs,
    packed,
    unpacked,
)
from fairhaven.query_audit.set_digests import KeyedSums, digest_of
from fairhaven.query_audit.set_sketches import Sketcher, numbers_of, set_of
from fairhaven.query_audit.sqlite import AuditRecord, Spending

TOLD = "what releases tell of themselves"
"""In the place of a project and of a coalition: in the record they are the first answers."""
_NOBODY = np.iinfo(np.int64).min
"""In the place of the id of somebody who was erased."""
_KEEP_EVERY = 256
"""So many answers are weighed anew at most when a process begins."""


class QueryAudit(AbstractContextManager["QueryAudit"]):
    """Answers questions of the form "how many persons?" so that answers put together reveal no more than each alone.

    Safe with several processes on one file: each question is one transaction, and a process first learns what the
    others answered. An answer that was given is on the disk; one that is on the disk may not have been given.

    Close it at the end, or use it in a ``with`` statement.

    Args:
        path: the hub's record of questions, begun where there is none; the folder of logs has its name without the suffix.
        policy: how counts are shown.
        rules: how they are audited.
        is_shared: whether other accounts ask, too.

    Raises:
        Invalid: the file is damaged or something else.
        NotAllowedNow: this account may not record questions, or there is nothing yet that it could begin from.
    """

    def __init__(self, path: Path, policy: Policy, rules: AuditRules, *, is_shared: bool = False) -> None:
        folder = path.with_suffix("")
        self._record = AuditRecord(path, folder / "record.sqlite")
        self._logs = QuestionLogs(folder, mark=self._record.mark)
        self._is_shared, self._is_news = is_shared, False
        self.faults: tuple[LogFault, ...] = ()
        self._policy = policy
        self._rules = rules
        self._sketcher = Sketcher(self._record.secret)
        self._sums = KeyedSums(self._record.secret)
        self._near = NearReleases(self._record, self._sums)
        self._coalitions: dict[str, tuple[Coalition, int]] = {}
        self._kept: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self._releases: dict[str, tuple[int, NDArray[np.uint32]]] = {}

    def close(self) -> None:
        """Close the file; other accounts find a copy where they can ask."""
        try:
            if self.is_own and self._is_shared and self._logs.folder.exists():
                self._record.copy_for_others(is_news=self._is_news)
        finally:
            self._record.close()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_own(self) -> bool:
        """True where this account writes the hub's file; others add to its log."""
        return self._record.is_own

    @property
    def mark(self) -> str:
        """What tells this record of questions from one that was begun anew."""
        return self._record.mark

    def heads(self) -> dict[int, LogHead]:
        """How far the log of each account goes, for the ledger; `faults` says which of them go no further.

        Raises:
            Invalid: a log was cut off, written anew, taken away, or cannot be read.
        """
        with self._writing():
            return self._record.heads()

    def check(self, heads: Mapping[int, LogHead]) -> None:
        """Refuse logs of questions that do not hold what the ledger has seen of them.

        Raises:
            Invalid: one was cut off, written anew, taken away, or cannot be read.
        """
        self._logs.check(heads)

    def logs(self, seen: Mapping[int, LogHead]) -> dict[int, tuple[LogHead, bool]]:
        """How far the log of each account went, and whether it still holds that; nothing is taken over.

        Args:
            seen: what the ledger has seen of them.

        Raises:
            Invalid: a log cannot be read.
        """
        known = self._record.heads()
        heads = {**dict.fromkeys(self._logs.accounts(), self._logs.begin()), **seen, **known}
        return {
            account: (head, self._logs.holds(account, head) and self._logs.holds(account, seen.get(account, head)))
            for account, head in sorted(heads.items())
        }

    @contextmanager
    def setting_aside(self, account: int) -> Iterator[BinaryIO | None]:
        """Go on without a log that does not hold what it held: what was taken over of it stays answered, and nothing else is known.

        Yields:
            what is left of it, if anything is; at the end of the block it is gone, and the account begins another.
        """
        with self._logs.locked(), self._record.writing(), self._logs.left(account) as left:
            yield left
            self._logs.remove(account)
            self._record.forget_head(account)
            self._is_news = True

    def add_release(self, release: str, person_keys: NDArray[np.int64]) -> None:
        """Make the persons of a release known, once, before the first question.

        Args:
            release: its name.
            person_keys: the ``person_id`` of person 0, 1, 2 ... as the bitmaps of this release count them, int64. The
                same person has the same id in every release: so it is seen that two releases differ by few.

        Raises:
            Invalid: an id occurs twice, or the release is known with other persons.
            NotAllowedNow: this account may only ask.
        """
        if not self.is_own:
            raise _only_asks(release)
        if np.unique(person_keys).size != person_keys.size:
            raise Invalid(f"release {release}: a person_id occurs twice")
        with self._writing():
            self._is_news = True
            roster = self._record.roster()
            if known := self._record.release(release):
                if not np.array_equal(roster[known[1]], person_keys):
                    raise Invalid(f"release {release} is known to the query audit with other persons")
                return
            order = np.argsort(roster, kind="stable")
            place = np.searchsorted(roster, person_keys, sorter=order)
            found = np.zeros(person_keys.size, np.bool_)
            inside = place < roster.size
            found[inside] = roster[order[place[inside]]] == person_keys[inside]
            numbers = np.empty(person_keys.size, np.uint32)
            numbers[found] = order[place[found]]
            numbers[~found] = np.arange(roster.size, roster.size + int((~found).sum()), dtype=np.uint32)
            self._record.save_release(release, np.concatenate([roster, person_keys[~found]]), numbers)

    def was_told(self, release: str, description: str) -> bool:
        """True where it is known what a description of a release tells."""
        return self._record.state(_told_mark(release, description))[0] > 0

    def tell(self, release: str, description: str, counts: Iterable[tuple[BitMap, int]]) -> None:
        """Have every coalition know counts that a release tells of itself, beside its answers; once for each description.

        Args:
            release: made known by `add_release`.
            description: what tells them: a name, or the hash of the file.
            counts: persons, as numbers 0 to n - 1 of the release, and the count as it is shown.

        Raises:
            NotFound: the release is not known.
            NotAllowedNow: this account may only ask.
        """
        if not self.is_own:
            raise _only_asks(release)
        key, numbers = self._asked_release(release)
        met = {digest_of(set_of(numbers))}
        with self._writing():
            self._is_news = True
            met |= {each.digest for each in self._record.verdicts(TOLD, after=0)}
            for persons, shown in counts:
                each = set_of(numbers[numbers_of(persons)])
                if not each or (digest := digest_of(each)) in met:
                    continue
                met.add(digest)
                question = self._record.add_question(
                    asker=Asker(project=TOLD),
                    release=key,
                    digest=digest,
                    keyed_sum=self._sums.of(each),
                    is_refused=False,
                    shown=shown,
                    persons=each,
                    sketch=self._sketcher.sketch(each),
                )
                self._record.add_verdict(TOLD, question, VerdictKind.TOLD, None)
            self._record.save_state(_told_mark(release, description), 1, b"")

    def forget(self, person_keys: Iterable[int]) -> None:
        """Forget who persons were, for an erasure: their ids leave the file, also its free pages.

        Their numbers are kept, so that earlier answers remain comparable with later ones; nobody can say whose they were.

        Raises:
            NotAllowedNow: another process holds on to the file's older pages; nothing is lost by doing it again.
        """
        with self._record.writing():
            roster = self._record.roster()
            self._record.save_roster(np.where(np.isin(roster, list(person_keys)), _NOBODY, roster))
        self._record.wipe()

    def budget(self, project: str) -> Budget:
        """What a project has asked and may still ask."""
        with self._writing():
            return self._budget(self._record.spending(folded(project)))

    def take_in(self, asker: Asker) -> None:
        """Have a project and its coalition know what was answered under other spellings of their names, and to the project for others.

        Records of before names were folded have such answers, each spelling with a budget and a coalition of its own.

        Raises:
            NotAllowedNow: this account may only ask.
        """
        if not self.is_own:
            raise NotAllowedNow("this account may only ask; projects are opened by the account that runs the hub")
        with self._writing():
            self._is_news = True
            met = self._record.askers()
            self._record.take_in(
                self._coalition_names(asker)[0],
                [pair for pair in met if folded(pair[0]) == asker.project or folded(pair[1]) == asker.organisation],
            )
            self._record.rename_projects({name for name, _ in met if folded(name) == asker.project}, asker.project)
            self._coalitions.clear()

    def ask(self, persons: BitMap, *, asker: Asker, release: str, definition: str = "") -> Decision:
        """Decide a question, record it, and give what may be shown.

        Args:
            persons: the persons counted, as numbers 0 to n - 1 of the release.
            asker: on whose behalf.
            release: a release made known by `add_release`.
            definition: what was asked, or its hash; used with differential privacy only, where the same definition
                gets the same answer at no cost.

        Raises:
            NotFound: the release is not known.
            ValueError: a person outside the release.
            Refused: differential privacy without OpenDP.
        """
        return self.ask_together({definition: persons}, asker=asker, release=release)[definition]

    def ask_together(self, cells: Mapping[str, BitMap], *, asker: Asker, release: str) -> dict[str, Decision]:
        """Decide the cells of a table, each like a question of its own, for the price of one.

        All tables together use up at most half of what persons bear, so that questions can still be answered. Which
        cells are answered follows from the order of their definitions, and is the same each time.

        With differential privacy each cell costs its own privacy loss.

        Args:
            cells: the persons of each cell by its definition; see `ask`.

        Raises:
            as `ask`.
        """
        key, numbers = self._asked_release(release)
        if any(persons and persons.max() >= numbers.size for persons in cells.values()):
            raise ValueError("a person outside the release")
        # Sorted: an order that says nothing of sizes.
        asked = [(each, set_of(numbers[numbers_of(persons)])) for each, persons in sorted(cells.items())]
        with self._writing():
            logged: list[LoggedCell] | None
            if self._rules.mode is Mode.PRIVACY:
                met = [self._with_noise(len(each), asker=asker, release=key, definition=name) for name, each in asked]
                decisions = [decision for decision, _ in met]
                logged = [
                    LoggedCell(persons=packed(numbers_of(each)), definition=name, shown=drawn)
                    for (name, each), (_, drawn) in zip(asked, met, strict=True)
                    if drawn is not None
                ] or None
            else:
                is_spent = self._is_spent(asker)
                decisions = self._decide([each for _, each in asked], asker=asker, release=key)
                logged = None if is_spent else [LoggedCell(persons=packed(numbers_of(each))) for _, each in asked]
            if logged is not None:  # a table without cells is a question as well
                self._log(asker, release, logged)
        return {name: decision for (name, _), decision in zip(asked, decisions, strict=True)}

    def _decide(self, cells: Sequence[BitMap], *, asker: Asker, release: int) -> list[Decision]:
        """Decide sets as one question, and record them unless the budget is spent."""
        if self._is_spent(asker):
            budget = self._budget(self._record.spending(asker.project))
            return [Decision(outcome=Outcome.SPENT, count=None, budget=budget) for _ in cells]
        shown = [self._verdict_on(each, asker=asker, release=release, in_table=len(cells) > 1) for each in cells]
        is_refused = all(count is None for count in shown)
        budget = self._budget(self._record.spend(asker.project, is_refused=is_refused))
        return [
            Decision(outcome=Outcome.REFUSED if count is None else Outcome.ANSWERED, count=count, budget=budget)
            for count in shown
        ]

    def _is_spent(self, asker: Asker) -> bool:
        """True where questions by rules are not answered any more, so that they are not recorded either."""
        return asker != THE_HUB and self._record.spending(asker.project).spent >= self._rules.budget

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction, which knows what all accounts asked."""
        try:
            with self._logs.locked(), self._record.writing():
                self._take_over()
                yield
        except BaseException:
            self._coalitions.clear()  # they may have learnt what was then not recorded
            raise

    def _log(self, asker: Asker, release: str, cells: Sequence[LoggedCell]) -> None:
        heads = self._record.heads()
        place = sum(head.lines for head in heads.values())
        question = LoggedQuestion(previous="", place=place, asker=asker, release=release, cells=tuple(cells))
        self._record.save_head(*self._logs.append(self._logs.own(heads), question))

    def _take_over(self) -> None:
        """Decide again what others asked: nothing that a line says of answers or of what they cost is believed."""
        self._logs.check(self._record.heads())
        faults: dict[int, LogFault] = {}
        while True:
            heads = self._record.heads()
            lines, found = self._logs.new_lines(heads)
            faults = {fault.account: fault for fault in found} | faults
            lines = [line for line in lines if not _is_past(line, faults)]
            if not lines:
                break
            for line in lines:
                if _is_past(line, faults):
                    continue
                try:
                    self._repeat(line)
                except (ValueError, OverflowError):
                    faults[line.account] = LogFault(
                        path=self._logs.path(line.account),
                        account=line.account,
                        line=line.head.lines,
                        start=line.head.start,
                    )
                else:
                    self._record.save_head(line.account, line.head)
        self.faults = tuple(faults.values())
        if fault := self._logs.fault_of_own(list(self.faults)):
            raise Invalid(fault.text)

    def _repeat(self, line: NewLine) -> None:
        """Decide what a line asked, having looked at all of it first.

        Raises:
            ValueError, OverflowError: no count asked that.
            Invalid: the record is damaged, which is no fault of the line.
        """
        question = line.question
        if question is None:
            return
        known = self._record.release(question.release)
        if known is None:
            raise ValueError
        key, numbers = known
        everybody = set_of(numbers)
        sets = [set_of(unpacked(cell.persons, most=numbers.size)) for cell in question.cells]
        if any(persons - everybody for persons in sets) or any(abs(cell.shown or 0) >> 53 for cell in question.cells):
            raise ValueError
        if self._rules.mode is not Mode.PRIVACY:
            self._decide(sets, asker=question.asker, release=key)
            return
        for cell, persons in zip(question.cells, sets, strict=True):
            self._with_noise(
                len(persons), asker=question.asker, release=key, definition=cell.definition, drawn=cell.shown
            )

    def _verdict_on(self, persons: BitMap, *, asker: Asker, release: int, in_table: bool) -> Protected | None:
        """What may be shown of a set; None for a refusal. It is recorded."""
        digests = digest, keyed_sum = digest_of(persons), self._sums.of(persons)
        names = self._coalition_names(asker)
        coalitions = [self._coalition(name, release) for name in names]
        others = self._near.sums_apart(persons, keyed_sum, release)
        if any(coalition.has_unsummed for coalition in coalitions):
            others += self._near.digests_apart(persons, release)
        verdicts = _joint_verdict(
            [coalition.consider(persons, digest, in_table=in_table, others=others) for coalition in coalitions]
        )
        is_refused, shown = verdicts[0].is_refused, verdicts[0].value
        question = self._record.add_question(
            asker=asker,
            release=release,
            digest=digest,
            keyed_sum=keyed_sum,
            is_refused=is_refused,
            shown=shown,
            persons=None if is_refused else persons,
            sketch=None if is_refused else self._sketcher.sketch(persons),
        )
        for name, coalition, verdict in zip(names, coalitions, verdicts, strict=True):
            if not coalition.has_final_verdict(digest):
                seq = self._record.add_verdict(name, question, verdict.kind, verdict.differing)
                coalition.learn(question, persons, digests, verdict)
                if seq - self._kept[name] > _KEEP_EVERY:
                    self._record.save_state(name, seq, coalition.state())
                    self._kept[name] = seq
                self._coalitions[name] = (coalition, seq)
        # None of the policy's small numbers looks different from another, or from 0.
        return None if is_refused else protect(1 if shown is None else shown, self._policy)

    def _with_noise(
        self, count: int, *, asker: Asker, release: int, definition: str, drawn: int | None = None
    ) -> tuple[Decision, int | None]:
        """A noisy answer, and what was drawn for it: None where it was given before, or the budget is spent.

        Args:
            drawn: what another process drew.
        """
        cost = round(self._rules.epsilon * 1e6)
        spending = self._record.spending(asker.project)
        shown = self._record.noisy(asker.project, release, definition) if definition else None
        new = None
        if shown is None:
            if spending.spent >= self._rules.budget or spending.micro_epsilon + cost > self._rules.epsilon_total * 1e6:
                budget = self._budget(spending)
                return Decision(outcome=Outcome.SPENT, count=None, budget=budget, is_own=asker == THE_HUB), None
            shown = new = noisy_count(count, epsilon=self._rules.epsilon) if drawn is None else drawn
            spending = self._record.spend(asker.project, micro_epsilon=cost)
            if definition:
                self._record.save_noisy(asker.project, release, definition, shown)
        decision = Decision(outcome=Outcome.ANSWERED, count=protect(shown, self._policy), budget=self._budget(spending))
        return decision, new

    def _coalition_names(self, asker: Asker) -> list[str]:
        """The coalitions that a caller is in. The first holds the project, so it has always learnt what the project has."""
        together = CoalitionScope.ORGANISATION in self._rules.coalitions and asker.organisation
        names = [f"organisation {asker.organisation}" if together else f"project {asker.project}"]
        if asker.is_federated and CoalitionScope.FEDERATED in self._rules.coalitions:
            names.append("federated")
        return names

    def _coalition(self, name: str, release: int) -> Coalition:
        """A coalition that knows all that was recorded, by this process or another."""
        if name not in self._coalitions:
            for question in self._record.without_sum():
                self._record.save_sum(question, self._sums.of(self._record.persons(question)))
            coalition = Coalition(self._policy, self._sketcher, self._record.persons)
            kept, state = self._record.state(name)
            self._kept[name] = kept if coalition.restore(state) else 0
            self._told.pop(name, None)
            self._coalitions[name] = coalition, 0
        coalition, seen = self._coalitions[name]
        coalition.grow_to(self._record.population)
        for met in self._record.verdicts(name, after=seen):
            if met.question < 0:
                self._learn_population(coalition, -met.question)
            else:
                coalition.replay(met, is_weighed=met.seq <= self._kept[name])
            seen = met.seq
        if not coalition.has_answer(digest_of(self._record.persons(-release))):
            seen = self._record.add_verdict(name, -release, VerdictKind.FRESH, None)
            self._learn_population(coalition, release)
        seen = max(seen, self._learn_told(name, coalition))
        self._coalitions[name] = (coalition, seen)
        return coalition

    def _learn_population(self, coalition: Coalition, release: int) -> None:
        """A release's whole population counts as given: everybody may know about how many there are."""
        everybody = self._record.persons(-release)
        given = Verdict(kind=VerdictKind.FRESH, value=self._policy.rounded(len(everybody)))
        coalition.learn(-release, everybody, (digest_of(everybody), self._sums.of(everybody)), given)

    def _learn_told(self, name: str, coalition: Coalition) -> int:
        """Have a coalition know what releases tell of themselves, as if it had been answered first; gives its place in the sequence."""
        last = 0
        for told in self._record.verdicts(TOLD, after=self._told.get(name, 0)):
            self._told[name] = told.seq
            if not coalition.has_answer(told.digest):  # a refusal told it nothing; the release does
                last = self._record.add_verdict(name, told.question, VerdictKind.TOLD, None)
                coalition.replay(told, is_weighed=True)  # nothing that is told is weighed
        return last

    def _asked_release(self, release: str) -> tuple[int, NDArray[np.uint32]]:
        if (known := self._release(release)) is None:
            raise NotFound(f"release {release} is not known to the query audit; its persons must be made known first")
        return known

    def _budget(self, spending: Spending) -> Budget:
        allowed = self._rules.budget
        if self._rules.mode is Mode.PRIVACY:
            allowed = min(allowed, int(self._rules.epsilon_total * 1e6 // round(self._rules.epsilon * 1e6)))
        return Budget(allowed=allowed, spent=spending.spent, refused=spending.refused)

    def _release(self, release: str) -> tuple[int, NDArray[np.uint32]] | None:
        if release not in self._releases and (found := self._record.release(release)):
            self._releases[release] = found
        return self._releases.get(release)


def _only_asks(release: str) -> NotAllowedNow:
    return NotAllowedNow(
        f"nobody has asked of release {release} yet, or not since it was described anew. Ask the account that runs the hub to count in it "
        "once on behalf of a project (`fairhaven cohort count --project`); then this account may."
    )


def _told_mark(release: str, description: str) -> str:
    """Where the record notes that a release's own counts are in it."""
    return f"{TOLD}: {release} {description}"


def _is_past(line: NewLine, faults: Mapping[int, LogFault]) -> bool:
    """Whether a line of its log before it, or itself, ends what is taken over."""
    fault = faults.get(line.account)
    return fault is not None and line.head.lines >= fault.line


def _joint_verdict(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """What several coalitions say as one: who got an answer gets it again, and others get the same.

    An earlier answer reveals to a coalition that has not seen it no more than a count of its own would. Where two coalitions
    got different ones, or one may get none, nobody gets any.
    """
    bound = {verdict.value for verdict in verdicts if verdict.kind is not VerdictKind.FRESH}
    if any(verdict.is_refused for verdict in verdicts) or len(bound) > 1:
        is_final = len(bound) > 1 or any(verdict.kind is VerdictKind.REFUSED for verdict in verdicts)
        kind = VerdictKind.REFUSED if is_final else VerdictKind.WITHHELD
        return [Verdict(kind=kind, differing=verdict.differing) for verdict in verdicts]
    return [replace(verdict, value=next(iter(bound), verdict.value)) for verdict in verdicts]
