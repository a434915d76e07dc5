"""Terms for tests: a controller's file that is whole, and what is read of one."""

from pathlib import Path

from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.terms_files import ProposedTerms, read_proposed_terms

WHOLE = """title = "Hillside Surgery"

[terms.gp]
title = "Records of Hillside Surgery"
datasets = ["gp_hillside"]
columns = ["*"]
starts = 2026-10-01
[terms.gp.flow]
hub_role = "processor"
opt_outs = "left-out"
[terms.gp.use]
purposes = ["health-research"]
sectors = ["nhs", "academia"]
countries = ["GB"]
[terms.gp.users]
accreditation = ["dea-full"]
[terms.gp.legal]
article_6 = "6(1)(e)"
article_9 = "9(2)(j)"
confidentiality = "law"
statute = "Health and Social Care Act 2012"
[terms.gp.setting]
levels = ["result", "de-identified"]
longest_months = 24
"""
"""Only what must be said."""


def changed(*pairs: tuple[str, str], text: str = WHOLE) -> str:
    """The file with texts in it replaced, each of which it has."""
    for before, after in pairs:
        assert before in text, before
        text = text.replace(before, after)
    return text


def proposed(folder: Path, text: str | bytes, *, tiers: str | None = None, classes: str | None = None) -> ProposedTerms:
    """What is read of a hub's folder whose one controller, hillside, has a file with this text."""
    (folder / "controllers").mkdir(parents=True, exist_ok=True)
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "controllers" / "hillside.toml").write_bytes(content)
    if tiers is not None:
        (folder / "tiers.toml").write_text(tiers)
    if classes is not None:
        (folder / "classes").mkdir(exist_ok=True)
        (folder / "classes" / "routine.toml").write_text(classes)
    return read_proposed_terms(folder)


def controller(folder: Path, text: str = WHOLE) -> DataController:
    """The controller of a file that has no faults."""
    read = proposed(folder, text)
    assert not read.faults, "\n".join(map(str, read.faults))
    return read.controllers["hillside"]


def faults(folder: Path, text: str) -> list[tuple[int | None, str, str]]:
    """(line, field, message) of every fault of a file."""
    return [(fault.line, fault.field, fault.message) for fault in proposed(folder, text).faults]
