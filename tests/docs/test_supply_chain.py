"""What Fairhaven runs on: what is locked, its bill of materials, its licences."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from docs.generators.bill_of_materials import BILL, REQUIREMENTS, bill, installed, locked
from docs.generators.licences import faults, is_allowed, listed

ROOT = Path(__file__).parents[2]
PACKAGES = locked(REQUIREMENTS.read_text(encoding="utf-8"))
TEXT = BILL.read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = json.loads(TEXT)
BUILD_TOOLS = {"build", "editables", "flit-core", "hatchling", "pip", "setuptools", "trove-classifiers", "uv", "wheel"}


def test_the_bill_of_materials_is_valid_cyclonedx() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(TEXT) is None


def test_the_bill_lists_what_is_locked_with_the_same_hashes_and_nothing_else() -> None:
    in_bill = {
        component["bom-ref"]: {digest["content"] for digest in component["externalReferences"][0]["hashes"]}
        for component in DOCUMENT["components"]
    }
    assert len(PACKAGES) == len(re.findall(r"^[a-z]", REQUIREMENTS.read_text(encoding="utf-8"), re.MULTILINE))
    assert in_bill == {package.ref: set(package.hashes) for package in PACKAGES}
    assert all(in_bill.values())


def test_the_bill_would_be_made_again_as_it_is() -> None:
    here = installed(PACKAGES)
    again = json.loads(bill([package for package in PACKAGES if package.ref in here], here))
    committed = {component["bom-ref"]: component for component in DOCUMENT["components"]}
    assert [component for component in again["components"] if component != committed[component["bom-ref"]]] == []


def test_every_package_of_the_bill_is_there_because_fairhaven_or_another_package_needs_it() -> None:
    needs = {each["ref"]: each.get("dependsOn", []) for each in DOCUMENT["dependencies"]}
    reached, waiting = set[str](), ["fairhaven"]
    while waiting:
        if (ref := waiting.pop()) not in reached:
            reached.add(ref)
            waiting += needs[ref]
    assert {component["bom-ref"] for component in DOCUMENT["components"]} - reached == set()


def test_neither_the_bill_nor_the_locked_requirements_name_a_host_or_a_path() -> None:
    for path in (BILL, *ROOT.glob("requirements/*.txt")):
        assert not re.search(r"://|(?<![\w.])/\w|\\\w|index-url|find-links", path.read_text(encoding="utf-8")), (
            path.name
        )


def test_what_builds_packages_is_not_among_what_fairhaven_runs_on() -> None:
    assert {package.name for package in PACKAGES} & BUILD_TOOLS == set()


def test_every_licence_is_allowed_and_as_installed() -> None:
    assert list(faults(DOCUMENT, PACKAGES, installed(PACKAGES))) == []


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("BSD-3-Clause AND Zlib", True),
        ("GPL-3.0-only", False),
        ("AGPL-3.0-or-later", False),
        ("LGPL-2.1-or-later", False),
        ("MIT AND GPL-2.0-only", False),
        ("Apache-2.0 WITH LLVM-exception", False),
        ("BUSL-1.1", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_a_licence_that_is_not_on_the_list_is_refused(expression: str, allowed: bool) -> None:
    assert is_allowed(expression) == allowed


def test_a_new_package_a_gone_one_and_another_licence_are_each_named() -> None:
    first, second = listed(DOCUMENT)[:2]
    document = json.loads(TEXT)
    document["components"][1]["licenses"] = [{"license": {"id": "AGPL-3.0-only"}}]
    strange = replace(PACKAGES[0], name="left-pad")
    named = list(faults(document, (strange, *PACKAGES[1:]), installed(PACKAGES)))
    assert sum(fault.startswith((first.ref, strange.ref)) and "make lock" in fault for fault in named) == 2
    assert any(fault.startswith(second.ref) and "AGPL-3.0-only, which is not on the list" in fault for fault in named)
