"""Local code maps: OHDSI source_to_concept_map and Usagi exports, as one table.

The table has the columns `vocabulary` (lower case), `code` and `text` (as matched, empty where the map does not ask),
`target_concept_id`, `source_concept_id`, `file`.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from fairhaven.kernel.errors import Fault, Invalid, check_faults

SCHEMA = pa.schema(
    [
        ("vocabulary", pa.string()),
        ("code", pa.string()),
        ("text", pa.string()),
        ("target_concept_id", pa.int64()),
        ("source_concept_id", pa.int64()),
        ("file", pa.string()),
    ]
)

SPELLINGS: Mapping[str, str] = {
    "snomed-ct": "SNOMED",
    "snomed ct": "SNOMED",
    "snomedct": "SNOMED",
    "sct": "SNOMED",
    "snomed": "SNOMED",
    "icd-10": "ICD10",
    "icd10": "ICD10",
    "icd-10-cm": "ICD10CM",
    "icd10cm": "ICD10CM",
    "icd-9-cm": "ICD9CM",
    "opcs-4": "OPCS4",
    "opcs": "OPCS4",
    "opcs4": "OPCS4",
    "loinc": "LOINC",
    "rxnorm": "RxNorm",
    "dm+d": "dm+d",
    "dmd": "dm+d",
    "read": "Read",
    "read2": "Read",
    "readv2": "Read",
    "cvx": "CVX",
    "ucum": "UCUM",
    "cpt4": "CPT4",
    "atc": "ATC",
}
"""How sources spell the names of vocabularies, in lower case."""

_STCM = ("source_code", "source_vocabulary_id", "target_concept_id")
_USAGI = ("sourceCode", "conceptId", "mappingStatus")


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeMap:
    """One entry: this code of this local vocabulary is that concept.

    Args:
        vocabulary: name that mapping files use, case does not matter.
        text: the source's words; part of the key only where one code stands for several things.
    """

    vocabulary: str
    code: str
    text: str
    target_concept_id: int
    source_concept_id: int = 0


def matched_code(code: str) -> str:
    """A code as it is compared: without dots and blanks."""
    return code.replace(".", "").replace(" ", "")


def matched_vocabulary(name: str) -> str:
    """A vocabulary's name as it is compared: OMOP's where it is a known spelling, lower case."""
    return SPELLINGS.get(name.strip().lower(), name.strip()).lower()


def matched_text(text: str) -> str:
    """Words as they are compared: lower case, no blanks around."""
    return text.strip().lower()


def read_code_map(path: Path) -> tuple[CodeMap, ...]:
    """Read a file of vocabulary/; its header says which form it has.

    Raises:
        Invalid: the file is neither form, or has lines that cannot be used; all of them.
    """
    shown = f"{path.parent.name}/{path.name}" if path.parent.name == "vocabulary" else path.name
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = file.readline()
            file.seek(0)
            delimiter = max(",\t;", key=sample.count)
            reader = csv.DictReader(file, delimiter=delimiter)
            header = reader.fieldnames or []
            faults: list[Fault] = []
            if set(_STCM) <= set(header):
                entries = tuple(_stcm(reader, shown, faults))
            elif set(_USAGI) <= set(header):
                entries = tuple(_usagi(reader, path.stem, shown, faults))
            else:
                message = (
                    "is neither a source_to_concept_map (source_code, source_vocabulary_id, target_concept_id, ...) "
                    "nor a Usagi export (sourceCode, sourceName, conceptId, mappingStatus, ...)"
                )
                raise Invalid(Fault(message=message, path=shown, line=1))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"the file cannot be read as UTF-8 text ({type(error).__name__})"
        raise Invalid(Fault(message=message, path=shown)) from None
    check_faults(faults)
    return entries


def local_maps(files: Mapping[str, Iterable[CodeMap]]) -> pa.Table:
    """The entries of several files (by file name) as one table; entries without target are left out.

    Where one code has several texts with different targets, the text becomes part of the key.
    """
    rows = []
    for file, entries in files.items():
        kept = [entry for entry in entries if entry.target_concept_id]
        by_text: dict[tuple[str, str], dict[str, set[int]]] = {}
        for entry in kept:
            texts = by_text.setdefault((matched_vocabulary(entry.vocabulary), matched_code(entry.code)), {})
            texts.setdefault(matched_text(entry.text), set()).add(entry.target_concept_id)
        for entry in kept:
            key = (matched_vocabulary(entry.vocabulary), matched_code(entry.code))
            targets = by_text[key]
            needs_text = not key[1] or len({frozenset(found) for found in targets.values()}) > 1
            text = matched_text(entry.text) if needs_text else ""
            rows.append((*key, text, entry.target_concept_id, entry.source_concept_id, file))
    unique = list(dict.fromkeys(rows))
    columns = list(zip(*unique, strict=True)) if unique else [()] * len(SCHEMA)
    return pa.table([pa.array(column, type=field.type) for column, field in zip(columns, SCHEMA, strict=True)], SCHEMA)


def _stcm(reader: "csv.DictReader[str]", shown: str, faults: list[Fault]) -> Iterator[CodeMap]:
    for row in reader:
        if (row.get("invalid_reason") or "").strip():
            continue
        target = _concept(row, "target_concept_id", reader.line_num, shown, faults)
        source = _concept(row, "source_concept_id", reader.line_num, shown, faults)
        yield CodeMap(
            vocabulary=(row["source_vocabulary_id"] or "").strip(),
            code=(row["source_code"] or "").strip(),
            text=(row.get("source_code_description") or "").strip(),
            target_concept_id=target,
            source_concept_id=source,
        )


def _usagi(reader: "csv.DictReader[str]", vocabulary: str, shown: str, faults: list[Fault]) -> Iterator[CodeMap]:
    for row in reader:
        if (row["mappingStatus"] or "").strip().upper() != "APPROVED":
            continue
        target = _concept(row, "conceptId", reader.line_num, shown, faults)
        kind = (row.get("mappingType") or "").strip().upper()
        if kind in ("MAPS_TO_VALUE", "MAPS_TO_UNIT", "MAPS_TO_OPERATOR", "MAPS_TO_TYPE"):
            continue
        yield CodeMap(
            vocabulary=vocabulary,
            code=(row["sourceCode"] or "").strip(),
            text=(row.get("sourceName") or "").strip(),
            target_concept_id=target,
        )


def _concept(row: Mapping[str, str | None], key: str, line: int, shown: str, faults: list[Fault]) -> int:
    text = (row.get(key) or "").strip()
    if not text:
        return 0
    if not text.isdigit():
        faults.append(Fault(message="is not a concept id", path=shown, line=line, field=key))
        return 0
    return int(text)


def repeated(entries: Iterable[CodeMap]) -> list[str]:
    """Codes that a map names more than once with the same text (one-to-many maps), for reports."""
    counts = Counter((entry.vocabulary, entry.code, entry.text) for entry in entries)
    return sorted(code for (_, code, _), count in counts.items() if count > 1)
