"""Deliveries in words: what became of files, and what a vocabulary holds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from fairhaven.cli import screen
from fairhaven.release import partner_cdms

if TYPE_CHECKING:  # rooms are loaded only when a command runs
    from fairhaven.cli.delivery_results import LoadedVocabulary
    from fairhaven.intake import Extract, QuarantineReason, Receipt, UndecidedKey

_DELIMITERS = {"\t": "tabs", " ": "blanks", ",": "commas", ";": "semicolons"}
_DAMAGE = {
    "rounded": "long numbers with an exponent, whose last digits are lost",
    "cut": "long numbers whose last digits are lost (of SNOMED CT a build restores those of which the vocabulary has the only one that fits)",
    "date": "codes taken for dates",
    "zero": "NDC of ten digits, of which a leading zero is lost before one of the parts",
}
"""Kind of damage (`CodeDamage`) -> what happened."""
_REASONS = 10
"""How many reasons for quarantine a receipt on a screen lists for each table."""


def receipt(found: "Receipt") -> Iterator[str]:
    """What became of a delivery."""
    for file, delivery in found.already_received.items():
        yield f"{file}: the same bytes were received before (delivery {delivery}); nothing was done with it."
    if found.delivery is None:
        yield f"Nothing new for {found.source}."
        return
    yield f"Delivery {found.delivery} of {found.source}:"
    if found.opt_outs is not None:
        yield f"  a list of {found.opt_outs:,} NHS numbers"
        if found.faulty_lines:
            yield f"  {len(found.faulty_lines):,} lines are not NHS numbers: {_listed(found.faulty_lines)}"
        return
    for extract in found.extracts:
        yield f"  {extract.file} (extract {extract.number}), {_reading(extract)}"
        if extract.cdm is not None:
            yield f"    the CDM {partner_cdms.said(extract.cdm)}"
            yield from (f"    it {each}" for each in partner_cdms.contradictions(extract.cdm))
        for table, count in extract.tables.items():
            parts = [f"{count.received:,} rows received", f"{count.landed:,} landed"]
            if count.superseded:
                parts.append(f"{count.superseded:,} superseded by others of their key")
            if count.identical:
                parts.append(f"{count.identical:,} identical to others of their key")
            if count.withdrawn:
                parts.append(f"{count.withdrawn:,} withdrawn")
            if count.quarantined:
                parts.append(f"{count.quarantined:,} quarantined")
            if count.erased:
                parts.append(f"{count.erased:,} of erased persons left out")
            yield f"    {table}: {', '.join(parts)}"
            mine = [
                reason
                for reason in found.quarantine_reasons
                if (reason.extract, reason.table) == (extract.number, table)
            ]
            yield from _quarantine_reasons(mine)
            if count.dropped:
                yield f"      outside the agreement, dropped: {_columns(count.dropped)}"
            if count.emptied:
                named = ", ".join(f"{name} of {rows:,} rows" for name, rows in count.emptied.items())
                yield f"      made empty, because the value did not fit: {named}"
            yield from _damaged(count.damaged)
            if count.unowned:
                yield f"      belong to nobody known, as no row that they refer to was delivered: {count.unowned:,} rows; they are in no release until one is"
            if count.withheld:
                named = ", ".join(f"{name} of {rows:,} rows" for name, rows in count.withheld.items())
                yield f"      withheld, as free text: {named}"
            if count.missing:
                yield f"      not in the file: {', '.join(count.missing)}"
            for undecided in found.undecided_keys:
                if (undecided.extracts, undecided.table) == ((extract.number,), table):
                    which = "all are kept" if undecided.are_kept else "the last line counts"
                    yield f"      {_undecided(undecided)}; {which}"
    # The same of every delivery: whether something was tells whoever delivered whom the hub knows.
    yield "  What tells who somebody is has not landed, if there was any; of how many rows, extract.json of each extract says to the hub alone"
    for undecided in found.undecided_keys:
        if len(undecided.extracts) > 1:
            numbers = ", ".join(map(str, undecided.extracts))
            yield f"  {undecided.table} (extracts {numbers}): {_undecided(undecided)}; the last file counts"


def _damaged(found: "Mapping[str, Mapping[str, int]]") -> Iterator[str]:
    """Which columns a spreadsheet seems to have been at, how, and what can be done."""
    for column, kinds in found.items():
        for kind, rows in kinds.items():
            yield f"      warning: {column} looks damaged by a spreadsheet in {rows:,} rows: {_DAMAGE[kind]}"
    if found:
        yield "      such codes lead to no concept, and such numbers are taken for one; have the file written anew, with these columns as text"


def _undecided(found: "UndecidedKey") -> str:
    """That a key is not unique, of how many rows."""
    key = ", ".join(found.key) or "the key"
    lines = ", ".join(map(str, found.lines)) + (", ..." if found.rows > len(found.lines) else "")
    where = f" (lines {lines})" if found.lines else ""
    return f"warning: {key} is not unique: {found.rows:,} rows with {found.keys:,} key{'s' * (found.keys > 1)} differ{where}"


def _reading(extract: "Extract") -> str:
    """How a file was read: its encoding, what parts and quotes its fields, what means that there is no value, where moments of UTC were."""
    dialect, parts = extract.dialect, list[str]()
    has_texts = extract.format in ("delimited", "omop")
    if has_texts and dialect.delimiter:
        quoted = (
            "never quoted"
            if dialect.is_unquoted
            else f"quoted by {dialect.quote}"
            if dialect.quote
            else "quoted as its header tells"
        )
        parts.append(
            f"{dialect.encoding}, fields parted by {_DELIMITERS.get(dialect.delimiter, dialect.delimiter)} and {quoted}"
        )
    elif has_texts:
        parts.append(f"texts in {dialect.encoding}, each parted and quoted as its header tells")
    if has_texts or extract.format == "parquet":
        parts.append(f"no value: {', '.join(word or 'nothing' for word in dialect.null)}")
    parts.append(f"moments of UTC in {dialect.time_zone}")
    return f"read as {extract.written_as or extract.format}: {'; '.join(parts)}"


def _quarantine_reasons(found: "Sequence[QuarantineReason]") -> Iterator[str]:
    """Why rows are in quarantine, and where to look."""
    for reason in found[:_REASONS]:
        lines = ", ".join(map(str, reason.lines)) + (", ..." if reason.rows > len(reason.lines) else "")
        what = f"{reason.field} {reason.reason}" if reason.field else reason.reason
        yield f"      quarantined: {what}: {reason.rows:,} (line{'s' if reason.rows > 1 else ''} {lines})"
    if (rest := len(found) - _REASONS) > 0:
        yield f"      ... and {rest} more reasons (--json gives all)"


def _columns(names: Sequence[str]) -> str:
    """Names of columns; spreadsheets add columns that have none."""
    named = [name for name in names if name]
    if unnamed := len(names) - len(named):
        named.append("a column without a name" if unnamed == 1 else f"{unnamed} columns without a name")
    return ", ".join(named)


def _listed(numbers: tuple[int, ...]) -> str:
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return ", ".join(str(number) for number in numbers[:10]) + more


def vocabulary(found: "LoadedVocabulary") -> Iterator[str | Table]:
    """What a vocabulary holds."""
    yield screen.table(f"Vocabulary {found.version}", ["table", "rows"], found.rows.items())
    yield from found.notes
