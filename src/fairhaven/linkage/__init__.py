"""Who is one person: the identity vault, the deterministic cascade, Splink on the rest, stable person numbers."""

from fairhaven.linkage.evaluation import Trial, trial
from fairhaven.linkage.model import Linked, Summary, Thresholds
from fairhaven.linkage.service import link
from fairhaven.linkage.vault import Vault

__all__ = ["Linked", "Summary", "Thresholds", "Trial", "Vault", "link", "trial"]
