"""Local code maps: OHDSI source_to_concept_map and Usagi exports, as one table.

A code is compared as it is written; only in the classifications of `has_loose_codes` do dots and blanks make no
difference (E11.9 and E119 of ICD-10 are one code; 1.1 and 11 of a laboratory are two), and in Read the dots that fill a code up.
"""

import csv
import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Any

import pyarrow as pa

from fairhaven.kernel.absent_values import is_absent
from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.plain_files import plain_file
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.omop.concepts import is_concept_id
from fairhaven.omop.spreadsheet_codes import PADDED, filled_up

SCHEMA = pa.schema(
    [
        ("vocabulary", pa.string()),  # as OMOP spells it, lower case
        ("code", pa.string()),  # as compared; '' where the map goes by text alone
        ("text", pa.string()),  # lower case; '' where the map does not ask for it
        ("part", pa.string()),  # a `MapPart`
        ("target_concept_id", pa.int64()),  # 0: somebody looked and found no concept
        ("source_concept_id", pa.int64()),
    ]
)

BETWEEN_WORDS = "[-_ ]"
"""What may stand between the parts of a vocabulary's name, and tells no two apart."""

SPELLINGS: Mapping[str, str] = {
    "snomed": "SNOMED",
    "snomedct": "SNOMED",
    "snomedclinicalterms": "SNOMED",
    "sct": "SNOMED",
    "icd10": "ICD10",
    "icd10cm": "ICD10CM",
    "icd10pcs": "ICD10PCS",
    "icd10gm": "ICD10GM",
    "icd9cm": "ICD9CM",
    "icd9proc": "ICD9Proc",
    "icdo3": "ICDO3",
    "opcs": "OPCS4",
    "opcs4": "OPCS4",
    "loinc": "LOINC",
    "rxnorm": "RxNorm",
    "rxnormextension": "RxNorm Extension",
    "dm+d": "dm+d",
    "dmd": "dm+d",
    "dmandd": "dm+d",
    "read": "Read",
    "read2": "Read",
    "readv2": "Read",
    "cvx": "CVX",
    "ndc": "NDC",
    "ucum": "UCUM",
    "cpt4": "CPT4",
    "hcpcs": "HCPCS",
    "atc": "ATC",
}
"""How sources spell the names of vocabularies, in lower case and without `BETWEEN_WORDS`."""

_STCM = ("source_code", "source_vocabulary_id", "target_concept_id")
_USAGI = ("sourceCode", "conceptId", "mappingStatus")


class MapPart(StrEnum):
    """Which part of a fact a map's target is (Usagi's mapping types)."""

    CONCEPT = "concept"
    VALUE = "value"
    UNIT = "unit"


# Usagi calls them so, and did so before (Usagi's MappingTarget.Type).
_PARTS = {
    "": MapPart.CONCEPT,
    "MAPS_TO": MapPart.CONCEPT,
    "EVENT": MapPart.CONCEPT,
    "MAPS_TO_VALUE": MapPart.VALUE,
    "VALUE": MapPart.VALUE,
    "MAPS_TO_UNIT": MapPart.UNIT,
    "UNIT": MapPart.UNIT,
}
# Only what somebody has approved is exported by Usagi itself; a code that is ignored is not to be mapped.
_USED, _NOT_USED = "APPROVED", {"UNCHECKED", "AUTO_MAPPED", "AUTO_MAPPED_TO_1", "INVALID_TARGET", "FLAGGED", "IGNORED"}


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeMap:
    """One entry: this code of this local vocabulary is that concept.

    Args:
        vocabulary: name that mapping files use, case does not matter.
        text: the source's words; part of the key only where one code stands for several things.
        target_concept_id: 0 where somebody found that there is none.
        valid_from, valid_to: first and last day on which the entry holds.
        line: of its file; 0 where it is from none.
    """

    vocabulary: str
    code: str
    text: str
    target_concept_id: int
    source_concept_id: int = 0
    part: MapPart = MapPart.CONCEPT
    valid_from: dt.date = dt.date.min
    valid_to: dt.date = dt.date.max
    line: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """Vocabulary and code as they are compared."""
        vocabulary = omop_spelling(self.vocabulary.strip())
        code = self.code.strip()
        if has_loose_codes(vocabulary):
            code = _padded(code, vocabulary).replace(".", "").replace(" ", "")
        elif is_read(vocabulary):
            code = (code.removesuffix(PREFERRED_TERM) if len(code) == READ_WITH_TERM else code).rstrip(".")
        return vocabulary.lower(), code

    @property
    def subject(self) -> tuple[str, ...]:
        """What is mapped, as it is compared: a code, or words where the map goes by these alone; and the part."""
        vocabulary, code = self.key
        return vocabulary, code, "" if code else self.text.strip().lower(), self.part


def omop_spelling(vocabulary: str) -> str:
    """A vocabulary's name as OMOP spells it; an unknown one as it is."""
    return SPELLINGS.get(re.sub(BETWEEN_WORDS, "", vocabulary.lower()), vocabulary)


_PADDED = {name.upper(): digits for name, digits in PADDED.items()}


def _padded(code: str, vocabulary: str) -> str:
    """A code with the noughts before its point, without which 38.9 of ICD-9-CM (038.9) were 389."""
    return filled_up(code, _PADDED.get(vocabulary.upper(), 0)) if "." in code else code


LOOSE = ("ICD", "OPCS", "CIM", "KCD")
"""How the names of vocabularies begin whose codes are written with and without dots and blanks."""

READ = "READ"
"""How the names of vocabularies begin whose codes have five characters, filled up with dots: H33.. is written H33 as well.

Two more may say which term was chosen, 00 for the preferred one (H33..00, as OMOP writes them). Dots within tell codes apart: H33..11 is a
term of H33.., and H3311 is another code.
"""
READ_WITH_TERM, PREFERRED_TERM = 7, "00"


def is_read(vocabulary: str) -> bool:
    """Whether the codes of a vocabulary are Read codes."""
    return vocabulary.upper().startswith(READ)


def has_loose_codes(vocabulary: str) -> bool:
    """Whether dots and blanks make no difference in codes of a vocabulary."""
    return vocabulary.upper().startswith(LOOSE)


def read_code_map(path: Path) -> tuple[CodeMap, ...]:
    """Read a file of vocabulary/; its header says which form it has.

    Raises:
        Invalid: the file is neither form, or has lines that cannot be used; all of them.
    """
    shown = f"{path.parent.name}/{path.name}" if path.parent.name == "vocabulary" else path.name
    try:
        with TextIOWrapper(plain_file(path), encoding="utf-8-sig", newline="") as file:
            sample = file.readline()
            file.seek(0)
            delimiter = max(",\t;", key=sample.count)
            reader = csv.DictReader(file, delimiter=delimiter)
            header = set(reader.fieldnames or [])
            faults: list[Fault] = []
            if header.issuperset(_STCM):
                entries = tuple(_stcm(reader, shown, faults))
            elif header.issuperset(_USAGI):
                entries = tuple(_usagi(reader, path.stem, shown, faults))
            else:
                message = (
                    "is neither a source_to_concept_map (source_code, source_vocabulary_id, target_concept_id, ...) "
                    "nor a Usagi export (sourceCode, sourceName, conceptId, mappingStatus, ...)"
                )
                raise Invalid(Fault(message=message, path=shown, line=1))
    except PermissionError:
        raise Invalid(Fault(message=why_refused(path), path=shown)) from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"the file cannot be read as UTF-8 text ({type(error).__name__})"
        raise Invalid(Fault(message=message, path=shown)) from None
    check_faults(faults)
    return entries


def local_maps(files: Mapping[str, Iterable[CodeMap]], *, on: dt.date) -> pa.Table:
    """The entries of several files (by file name) that hold on a day, as a table of `SCHEMA`.

    Where one code has several texts with different targets, the text becomes part of the key. A target of 0 counts where a
    code has no other: somebody looked, so the vocabulary is not asked any more. Of files that map the same code the first by name
    counts (`code_map_checks.contradictions` names those that say something else).
    """
    rows: dict[tuple[str, str, str, str, int, int], None] = {}
    taken_by: dict[tuple[str, ...], str] = {}
    for file, entries in sorted(files.items()):
        valid = [entry for entry in entries if entry.valid_from <= on <= entry.valid_to]
        ambiguous = _told_apart_by_text(valid)
        for entry in valid:
            subject = vocabulary, code, words, part = entry.subject
            if taken_by.setdefault(subject, file) != file:
                continue
            text = entry.text.strip().lower() if (vocabulary, code) in ambiguous else words
            rows[vocabulary, code, text, part, entry.target_concept_id, entry.source_concept_id] = None
    mapped = {row[:4] for row in rows if row[4]}
    kept = [row for row in rows if row[4] or row[:4] not in mapped]
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in kept], SCHEMA)


def single_words(files: Mapping[str, Iterable[CodeMap]]) -> dict[str, frozenset[str]]:
    """Vocabulary, as compared -> codes that are one word without a digit, which may be what somebody is called (MAY, White); '' -> those of all."""
    found = defaultdict[str, set[str]](set)
    for entry in (entry for entries in files.values() for entry in entries):
        if (code := entry.code.strip()).isalpha():
            found[entry.key[0]].add(code)
            found[""].add(code)
    return {vocabulary: frozenset(words) for vocabulary, words in found.items()}


def codes_told_apart_by_text(entries: Iterable[CodeMap], vocabularies: Container[str]) -> Mapping[str, list[str]]:
    """Vocabulary, as compared -> codes that a file gives several texts with different targets, in order; of some *vocabularies*."""
    found = defaultdict(list)
    is_asked: dict[str, bool] = {}
    asked = []
    for entry in entries:  # of which there may be a hundred thousand, read at each command
        name = entry.vocabulary
        if name not in is_asked:
            is_asked[name] = entry.key[0] in vocabularies
        if is_asked[name]:
            asked.append(entry)
    for vocabulary, code in sorted(_told_apart_by_text(asked)):
        found[vocabulary].append(code)
    return found


def _told_apart_by_text(entries: Iterable[CodeMap]) -> set[tuple[str, str]]:
    targets: dict[tuple[str, str], dict[str, set[tuple[MapPart, int]]]] = defaultdict(lambda: defaultdict(set))
    for entry in entries:
        targets[entry.key][entry.text.strip().lower()].add((entry.part, entry.target_concept_id))
    return {key for key, texts in targets.items() if key[1] and len(set(map(frozenset, texts.values()))) > 1}


def _stcm(reader: "csv.DictReader[str]", shown: str, faults: list[Fault]) -> Iterator[CodeMap]:
    for row in map(_texts, reader):
        line = _MapLine(row=row, number=reader.line_num, shown=shown, faults=faults)
        reason = row["invalid_reason"].upper()
        if reason in ("D", "U"):
            continue
        if reason:
            line.fault("invalid_reason", "is neither empty nor D (deleted) nor U (upgraded)")
        yield CodeMap(
            vocabulary=row["source_vocabulary_id"],
            code=row["source_code"],
            text=row["source_code_description"],
            target_concept_id=line.target("target_concept_id"),
            source_concept_id=line.concept("source_concept_id"),
            valid_from=line.day("valid_start_date", dt.date.min),
            valid_to=line.day("valid_end_date", dt.date.max),
            line=line.number,
        )


def _usagi(reader: "csv.DictReader[str]", vocabulary: str, shown: str, faults: list[Fault]) -> Iterator[CodeMap]:
    given: Counter[tuple[str, str, MapPart]] = Counter()
    for row in map(_texts, reader):
        line = _MapLine(row=row, number=reader.line_num, shown=shown, faults=faults)
        status, part = row["mappingStatus"].upper(), _PARTS.get(row["mappingType"].upper())
        if status in _NOT_USED:
            continue
        if status != _USED:
            line.fault("mappingStatus", f"is none of {', '.join(sorted({_USED, *_NOT_USED}))}")
        elif part is None:
            line.fault("mappingType", "is none of MAPS_TO, MAPS_TO_VALUE, MAPS_TO_UNIT")
        elif row["sourceValueCode"]:
            line.fault(
                "sourceValueCode", "a map of a code together with a value cannot be used; map the value by itself"
            )
        else:
            given[row["sourceCode"], row["sourceName"], part] += 1
            if part is not MapPart.CONCEPT and given[row["sourceCode"], row["sourceName"], part] > 1:
                line.fault("mappingType", f"gives this code a second {part}")
            yield CodeMap(
                vocabulary=vocabulary,
                code=row["sourceCode"],
                text=row["sourceName"],
                target_concept_id=line.target("conceptId"),
                part=part,
                line=line.number,
            )


def _texts(row: Mapping[str, Any]) -> Mapping[str, str]:
    """Fields without blanks around them; '' for a column or a field that is not there, or that says there is nothing."""
    texts = {name: text.strip() for name, text in row.items() if isinstance(text, str)}
    return defaultdict(str, {name: "" if is_absent(text) else text for name, text in texts.items()})


@dataclass(frozen=True, kw_only=True, slots=True)
class _MapLine:
    """A line of a map's file: its fields as numbers and days, or what is wrong with them."""

    row: Mapping[str, str]
    number: int
    shown: str
    faults: list[Fault]

    def fault(self, field: str, message: str) -> None:
        self.faults.append(Fault(message=message, path=self.shown, line=self.number, field=field))

    def concept(self, field: str) -> int:
        """0 where there is none."""
        found = whole_number(self.row[field], digits=10)
        if found is not None and is_concept_id(found):
            return found
        if self.row[field]:
            self.fault(field, "is not a concept id")
        return 0

    def target(self, field: str) -> int:
        """A concept that must be there: nothing is not the same as 0, which says that somebody looked."""
        if not self.row[field]:
            self.fault(field, "is missing; write 0 where there is no such concept")
        return self.concept(field)

    def day(self, field: str, otherwise: dt.date) -> dt.date:
        """As 2020-12-31 or 20201231 (Athena), a time of day cut off; *otherwise* where there is none."""
        if not self.row[field]:
            return otherwise
        try:
            return dt.date.fromisoformat(self.row[field].split(" ")[0].split("T")[0])
        except ValueError:
            self.fault(field, "is no date; write it as 2020-12-31")
            return otherwise
