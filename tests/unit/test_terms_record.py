"""An unknown term is never a pass: a record that another version wrote is understood as a whole, or permits nothing."""

from pathlib import Path

import pytest

from fairhaven.access.terms.terms_record import TermsInForce, recorded
from tests.support.terms import WHOLE, controller

_DATA_USE = '[terms.gp.use.data_use]\npermission = "GRU"\nmodifiers = ["NPU"]\n'


def test_a_record_says_what_its_file_said(tmp_path: Path) -> None:
    said = controller(tmp_path, WHOLE + _DATA_USE)
    found = TermsInForce.of(recorded(said))
    assert (found.controller, found.unknown) == (said, ())
    assert found.terms_for("gp_hillside") == said.terms["gp"]
    assert found.terms_for("elsewhere") is None


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ('"NPU"', '"NQX"', "terms.gp.use.data_use.modifiers.0"),
        ('"GRU"', '"XRU"', "terms.gp.use.data_use.permission"),
        ('"health-research"', '"space-research"', "terms.gp.use.purposes.0"),
        ('"opt_out_days":30', '"opt_out_days":30,"opt_out_hours":1', "terms.gp.opt_out_hours"),
        ('"opt_out_days":30', '"opt_out_days":60', "terms.gp.opt_out_days"),
        ('"reference":null,"datasets"', '"reference":7,"datasets"', "terms.gp.reference"),
        ("{", "", "the whole record"),
    ],
)
def test_what_is_not_known_of_a_record_makes_all_of_it_permit_nothing(
    before: str, after: str, place: str, tmp_path: Path
) -> None:
    text = recorded(controller(tmp_path, WHOLE + _DATA_USE)).decode()
    assert before in text
    found = TermsInForce.of(text.replace(before, after, 1).encode())
    assert found.controller is None
    assert found.unknown == (place,)
    assert found.terms_for("gp_hillside") is None
