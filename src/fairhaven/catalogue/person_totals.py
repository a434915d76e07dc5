"""Figures of a table beside the counts of persons that stand on the same page and in the same file.

Who sees that 1,078 of 1,082 persons have an observation period knows of four that they have none; likewise of 1,031 persons with one
measurement among the 1,033 who have any. So of two exact counts that lie so close only that of the larger group is shown, and nothing
from which the other could be added up. A number of rows tells as much only where it is below that of the group: nobody has less than one.
"""

from dataclasses import dataclass

from fairhaven.catalogue.scan import RowCount
from fairhaven.disclosure import Policy, protect


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonTotals:
    """What a table's figures are compared with.

    Args:
        rows, persons: of the table, as they may be shown.
        is_close: persons are hidden because nearly everybody has a row.
        whole: the smallest count of persons around those of the table that is shown, as it is; None where nothing needs comparing.
        without: how many rows are fewer than *whole*, 0 where they are not a few: like a further value of every variable, that of
            persons without a row.
        is_of_few: the rows are hidden because they are of few persons.
    """

    policy: Policy
    rows: int | None
    persons: int | None
    is_close: bool
    whole: int | None
    without: int
    is_of_few: bool

    @property
    def is_whole(self) -> bool:
        """True where nothing is withheld for the sake of those who have no row."""
        return not (self.is_close or self.without)

    def lacking(self, count: int) -> int:
        """How many a count of persons, or the rows that they have at least, is short of *whole*; 0 where they are not a few."""
        if self.whole is None or not _lacks_few(count, self.whole, self.policy):
            return 0
        return self.whole - count

    def is_telling(self, count: RowCount) -> bool:
        """True where even the rows of a value tell how few have none of it."""
        return bool(self.lacking(count.rows) and self.lacking(count.persons))

    def shows_persons(self, count: RowCount) -> bool:
        """Whether the persons of a value may be shown where its rows are."""
        # Where rows are short of everybody by a few, rows less persons would be known to be missing as well.
        return not self.without and not self.lacking(count.persons)


def person_totals(count: RowCount, everybody: int | None, policy: Policy, *, has_person: bool) -> PersonTotals:
    """A table's own counts as they may be shown beside the number of all persons.

    Args:
        count: of the table.
        everybody: persons of the release, unrounded; None where that is not shown, or the table is that of everybody.
    """
    persons = protect(count.persons, policy).value if has_person else None
    is_close = persons is not None and _lacks_few(count.persons, everybody, policy)
    persons = None if is_close else persons
    whole = everybody if persons is None else count.persons
    without = (
        everybody - count.rows if everybody and persons is None and _lacks_few(count.rows, everybody, policy) else 0
    )
    rows = protect(count.rows, policy, persons=count.persons)
    return PersonTotals(
        policy=policy,
        rows=None if without else rows.value,
        persons=persons,
        is_close=is_close,
        whole=whole,
        without=without,
        is_of_few=rows.is_hidden,
    )


def _lacks_few(part: int, whole: int | None, policy: Policy) -> bool:
    """Whether a count and that of a set around it say how few are in the one and not in the other.

    Rounding does not blur it here: each is said several times, by itself and in the values of each variable, which are all rounded by
    themselves, and together these tell more than one.
    """
    return whole is not None and 0 < whole - part < policy.threshold
