"""No NHS number of a known person gets into a release by a text."""

from pathlib import Path

import duckdb
import pytest

from fairhaven.journeys.releases.identifier_screen import check_no_nhs_numbers
from fairhaven.kernel.errors import NotAllowedNow

NUMBER = "9990000018"


def _note(folder: Path, said: str) -> dict[str, list[Path]]:
    columns = ", ".join(
        f"'{said}'::VARCHAR AS {name}" if name == "value_as_string" else f"NULL::VARCHAR AS {name}"
        for name in (
            "value_as_string",
            "observation_source_value",
            "unit_source_value",
            "qualifier_source_value",
            "value_source_value",
        )
    )
    duckdb.execute(f"COPY (SELECT 1 AS observation_id, {columns}) TO '{folder}/a.parquet'")
    return {"observation": [folder / "a.parquet"]}


@pytest.mark.parametrize(
    "said", ["NHS no 999 000 0018, lives alone", "x9990000018", "123999-000-0018", "0099900000181"]
)
def test_a_text_with_a_known_number_stops_the_release_and_is_not_repeated(tmp_path: Path, said: str) -> None:
    with pytest.raises(NotAllowedNow, match=r"observation\.value_as_string") as refused:
        check_no_nhs_numbers(_note(tmp_path, said), lambda: ["999 000 0018"])
    assert NUMBER not in str(refused.value)
    assert "999 000 0018" not in str(refused.value)


@pytest.mark.parametrize("said", ["1290031003", "999000001", "no number at all"])
def test_other_digits_do_not(tmp_path: Path, said: str) -> None:
    check_no_nhs_numbers(_note(tmp_path, said), lambda: [NUMBER])


def test_the_vault_is_not_asked_where_nothing_is_suspected(tmp_path: Path) -> None:
    def never() -> list[str]:
        raise AssertionError("asked")

    check_no_nhs_numbers(_note(tmp_path, "tall"), never)
