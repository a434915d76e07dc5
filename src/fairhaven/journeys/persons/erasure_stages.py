"""The stages of erasing a person, as data: `erase.plan_erasure` says them in words, `recovery.carry_out` carries them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fairhaven.archive import Erasure
from fairhaven.journeys.model import Stage


@dataclass(frozen=True, kw_only=True, slots=True)
class FromDeliveries:
    """From what was delivered, landed and sealed: source -> patient_refs."""

    patients: Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class FromVault:
    """From identity records and the index of persons: source -> patient_refs."""

    patients: Mapping[str, Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class FromReleases:
    """From every release, which is sealed again; with it goes the ledger's entry of the whole act.

    Args:
        sources: whose deliveries held the person, for the entry.
    """

    person_key: int
    sources: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DescribeAgain:
    """What describes the releases is made again without the person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FromQuestions:
    """From the record of projects' questions; last, so that none asked meanwhile brings the person back."""

    person_key: int


ErasureStage = FromDeliveries | FromVault | FromReleases | DescribeAgain | FromQuestions


def erasure_stages(person_key: int, patients: Mapping[str, Sequence[str]]) -> tuple[ErasureStage, ...]:
    """What takes a person out of everything that is kept; each stage can be done again.

    Args:
        person_key: the OMOP ``person_id`` that the hub gave.
        patients: source -> patient_refs.
    """
    return (
        FromDeliveries(patients=patients),
        FromVault(patients=patients),
        FromReleases(person_key=person_key, sources=tuple(sorted(patients))),
        DescribeAgain(),
        FromQuestions(person_key=person_key),
    )


def erasure_stage_in_words(stage: ErasureStage, releases: Erasure) -> Stage:
    """What a stage does, on how much.

    Args:
        releases: what goes from the releases.
    """
    match stage:
        case FromDeliveries(patients=patients):
            records = ", ".join(f"{_records(len(refs))} of {source}" for source, refs in patients.items())
            what = f"erase {records or 'nothing'} from every delivery, landed and as delivered"
            return Stage(name="deliveries", what=what)
        case FromVault():
            what = "erase the identity records from the vault, and the person from its index"
            return Stage(name="vault", what=what)
        case FromReleases():
            rows = ", ".join(
                f"{sum(tables.values()):,} rows in {len(tables)} tables of {release}"
                for release, tables in releases.rows.items()
            )
            what = f"erase {rows or 'nothing'} from the releases, seal those again, and enter the erasure in the ledger"
            return Stage(name="releases", what=what)
        case DescribeAgain():
            return Stage(name="describe", what="describe again every release that was touched")
        case FromQuestions():
            return Stage(name="questions", what="forget the person in the record of projects' questions")


def _records(number: int) -> str:
    return f"{number} patient record" + ("s" if number != 1 else "")
