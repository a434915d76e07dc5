"""Intake: extracts are received as a whole, kept as delivered, and landed as typed rows without identifiers."""

from fairhaven.intake.delivery_erasure import ErasureCounts
from fairhaven.intake.fhir.code_lists import code_columns
from fairhaven.intake.model import (
    ColumnDeclaration,
    Delivery,
    DeliveryKind,
    Dialect,
    Extract,
    Format,
    QuarantineReason,
    ReadTexts,
    Receipt,
    RowOrigin,
    Source,
    TableCount,
    TableDeclaration,
    Type1OptOut,
    UndecidedKey,
)
from fairhaven.intake.opt_out_lists import OptOutList, check_opt_out_list
from fairhaven.intake.ports import IdentityVault
from fairhaven.intake.reader import DeliveredFile, Reader, StagedTable
from fairhaven.intake.reconciliation import check_quarantine, check_reconciled
from fairhaven.intake.service import Intake
from fairhaven.intake.source_file import read_source
from fairhaven.intake.word_lists import all_listed_words

__all__ = [
    "ColumnDeclaration",
    "DeliveredFile",
    "Delivery",
    "DeliveryKind",
    "Dialect",
    "ErasureCounts",
    "Extract",
    "Format",
    "IdentityVault",
    "Intake",
    "OptOutList",
    "QuarantineReason",
    "ReadTexts",
    "Reader",
    "Receipt",
    "RowOrigin",
    "Source",
    "StagedTable",
    "TableCount",
    "TableDeclaration",
    "Type1OptOut",
    "UndecidedKey",
    "all_listed_words",
    "check_opt_out_list",
    "check_quarantine",
    "check_reconciled",
    "code_columns",
    "read_source",
]
