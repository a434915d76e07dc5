"""Intake: extracts are received as a whole, kept as delivered, and landed as typed rows without identifiers."""

from fairhaven.intake.delivery_erasure import ErasureCounts
from fairhaven.intake.model import (
    ColumnDeclaration,
    Delivery,
    DeliveryKind,
    Dialect,
    Extract,
    Format,
    Misfit,
    Place,
    Receipt,
    Source,
    TableCount,
    TableDeclaration,
    Type1OptOut,
)
from fairhaven.intake.opt_out_lists import OptOutList, check_opt_out_list
from fairhaven.intake.ports import IdentityVault
from fairhaven.intake.reader import Arrived, Reader, Staged
from fairhaven.intake.reconciliation import Reconciliation, check_quarantine, check_reconciled
from fairhaven.intake.service import Intake
from fairhaven.intake.source_file import read_source

__all__ = [
    "Arrived",
    "ColumnDeclaration",
    "Delivery",
    "DeliveryKind",
    "Dialect",
    "ErasureCounts",
    "Extract",
    "Format",
    "IdentityVault",
    "Intake",
    "Misfit",
    "OptOutList",
    "Place",
    "Reader",
    "Receipt",
    "Reconciliation",
    "Source",
    "Staged",
    "TableCount",
    "TableDeclaration",
    "Type1OptOut",
    "check_opt_out_list",
    "check_quarantine",
    "check_reconciled",
    "read_source",
]
