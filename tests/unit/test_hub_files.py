"""A hub's files: what of a setting is wrong is said once."""

from pathlib import Path

import pytest

from fairhaven.hub.hub_files import read_text
from fairhaven.hub.new_hub import make_hub
from fairhaven.kernel.errors import Invalid
from tests.support.actors import ANNA


@pytest.mark.parametrize("setting", ["wait_minutes", "national_max_age_days"])
def test_a_negative_time_is_one_fault(tmp_path: Path, setting: str) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    file = tmp_path / "hub" / "hub.toml"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(f"{setting} = -1\n" if line.startswith(f"{setting} =") else line for line in lines))
    with pytest.raises(Invalid) as caught:
        read_text(tmp_path / "hub")
    [fault] = caught.value.faults
    assert (fault.path, fault.message) == ("hub.toml", "must be 0 or more")
    assert fault.field.endswith(setting)


def test_a_hub_file_that_is_no_toml_is_one_fault(tmp_path: Path) -> None:
    make_hub(tmp_path / "hub", by=ANNA)
    (tmp_path / "hub" / "hub.toml").write_text('name = "a\n')
    with pytest.raises(Invalid) as caught:
        read_text(tmp_path / "hub")
    [fault] = caught.value.faults
    assert (fault.path, fault.line) == ("hub.toml", 1)
