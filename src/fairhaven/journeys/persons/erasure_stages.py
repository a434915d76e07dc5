"""The stages of erasing a person: `erase.plan_erasure` says them in words, `recovery.carry_out` carries them out."""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from fairhaven.archive import Erasure
from fairhaven.journeys.model import Stage


class ErasureStage(StrEnum):
    """What takes a person out of everything that is kept, in this order; each stage can be done again.

    Attributes:
        DELIVERIES: the rows in what was delivered, landed and sealed.
        VAULT: the identity records, and the person in the index of persons.
        RELEASES: the rows in every release, which is sealed again; with it goes the ledger's entry of the whole act.
        DESCRIBE: what describes the releases is made again without the person.
        QUESTIONS: the record of projects' questions; last, so that none asked meanwhile brings the person back.
    """

    DELIVERIES = "deliveries"
    VAULT = "vault"
    RELEASES = "releases"
    DESCRIBE = "describe"
    QUESTIONS = "questions"


def erasure_stage_in_words(stage: ErasureStage, patients: Mapping[str, Sequence[str]], releases: Erasure) -> Stage:
    """What a stage does, on how much.

    Args:
        patients: source -> patient_refs of the person.
        releases: what goes from the releases.
    """
    match stage:
        case ErasureStage.DELIVERIES:
            records = ", ".join(f"{_records(len(refs))} of {source}" for source, refs in patients.items())
            what = f"erase {records or 'nothing'} from every delivery, landed and as delivered"
        case ErasureStage.VAULT:
            what = "erase the identity records from the vault, and the person from its index"
        case ErasureStage.RELEASES:
            rows = ", ".join(
                f"{sum(tables.values()):,} rows in {len(tables)} tables of {release}"
                for release, tables in releases.rows.items()
            )
            what = f"erase {rows or 'nothing'} from the releases, seal those again, and enter the erasure in the ledger"
        case ErasureStage.DESCRIBE:
            what = "describe again every release that was touched"
        case ErasureStage.QUESTIONS:
            what = "forget the person in the record of projects' questions"
    return Stage(name=stage.value, what=what)


def _records(number: int) -> str:
    return f"{number} patient record" + ("s" if number != 1 else "")
