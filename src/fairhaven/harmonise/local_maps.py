"""Local code maps: OHDSI source_to_concept_map and Usagi exports, as one table.

The table has the columns `vocabulary` (lower case), `code` and `text` (as matched, empty where the map does not ask),
`target_concept_id`, `source_concept_id`, `file`.
"""

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from fairhaven.kernel.accounts import why_refused
from fairhaven.kernel.errors import Fault, Invalid, check_faults
from fairhaven.kernel.whole_numbers import whole_number
from fairhaven.omop.concepts import is_concept_id

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


def _code_key(entry: CodeMap) -> tuple[str, str]:
    """Vocabulary and code as they are compared: the vocabulary as OMOP spells it, lower case; the code without dots and blanks."""
    vocabulary = entry.vocabulary.strip()
    return SPELLINGS.get(vocabulary.lower(), vocabulary).lower(), entry.code.replace(".", "").replace(" ", "")


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


def local_maps(files: Mapping[str, Iterable[CodeMap]]) -> pa.Table:
    """The entries of several files (by file name) as one table; entries without target are left out.

    Where one code has several texts with different targets, the text becomes part of the key.
    """
    rows = []
    for file, entries in files.items():
        kept = [(_code_key(entry), entry.text.strip().lower(), entry) for entry in entries if entry.target_concept_id]
        targets: dict[tuple[str, str], dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        for key, text, entry in kept:
            targets[key][text].add(entry.target_concept_id)
        for key, text, entry in kept:
            needs_text = not key[1] or len({frozenset(found) for found in targets[key].values()}) > 1
            rows.append((*key, text if needs_text else "", entry.target_concept_id, entry.source_concept_id, file))
    return pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in dict.fromkeys(rows)], SCHEMA)


def _stcm(reader: "csv.DictReader[str]", shown: str, faults: list[Fault]) -> Iterator[CodeMap]:
    for row in map(_texts, reader):
        if not row["invalid_reason"]:
            yield CodeMap(
                vocabulary=row["source_vocabulary_id"],
                code=row["source_code"],
                text=row["source_code_description"],
                target_concept_id=_concept(row, "target_concept_id", reader.line_num, shown, faults),
                source_concept_id=_concept(row, "source_concept_id", reader.line_num, shown, faults),
            )


def _usagi(reader: "csv.DictReader[str]", vocabulary: str, shown: str, faults: list[Fault]) -> Iterator[CodeMap]:
    for row in map(_texts, reader):
        if row["mappingStatus"].upper() != "APPROVED":
            continue
        target = _concept(row, "conceptId", reader.line_num, shown, faults)
        if row["mappingType"].upper() not in ("MAPS_TO_VALUE", "MAPS_TO_UNIT", "MAPS_TO_OPERATOR", "MAPS_TO_TYPE"):
            yield CodeMap(
                vocabulary=vocabulary, code=row["sourceCode"], text=row["sourceName"], target_concept_id=target
            )


def _texts(row: Mapping[str, Any]) -> Mapping[str, str]:
    """Fields without blanks around them; '' for a column or a field that is not there."""
    return defaultdict(str, {name: text.strip() for name, text in row.items() if isinstance(text, str)})


def _concept(row: Mapping[str, str], key: str, line: int, shown: str, faults: list[Fault]) -> int:
    found = whole_number(row[key], digits=10)
    if found is not None and is_concept_id(found):
        return found
    if row[key]:
        faults.append(Fault(message="is not a concept id", path=shown, line=line, field=key))
    return 0
