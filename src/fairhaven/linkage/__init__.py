"""Who is one person: the identity vault, the deterministic cascade, Splink on the rest, stable person numbers."""

from fairhaven.linkage.evaluation import Trial, trial
from fairhaven.linkage.model import LinkageResult
from fairhaven.linkage.person_keys import PERSON_KEYS
from fairhaven.linkage.service import link
from fairhaven.linkage.vault import Vault

VERSION = 4
"""Raised when the same records could be other persons than before."""

__all__ = ["PERSON_KEYS", "VERSION", "LinkageResult", "Trial", "Vault", "link", "trial"]
