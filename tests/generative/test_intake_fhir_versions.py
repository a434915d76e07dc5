"""Whatever stands in an element of a resource of another version, it is read, or not understood, and never breaks the reader."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.intake.fhir.element_changes import NotUnderstood
from fairhaven.intake.fhir.version_changes import CHANGES
from fairhaven.intake.fhir.version_reading import change
from fairhaven.intake.model import FhirVersion
from tests.support.examples import examples

KEYS = st.sampled_from(
    [
        "actor",
        "address",
        "batch",
        "code",
        "coding",
        "concept",
        "has-member",
        "party",
        "period",
        "reference",
        "target",
        "type",
    ]
)
PLAIN = st.sampled_from([None, True, False, 0, 1.5, "", "x", "refuted", "n", "has-member"])
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


@pytest.mark.parametrize("version", [FhirVersion.STU3, FhirVersion.R5])
@examples(60)
@given(data=st.data())
def test_an_element_of_any_shape_is_read_or_not_understood(version: FhirVersion, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(CHANGES[version])))
    resource: dict[str, Any] = {"resourceType": kind, "status": data.draw(PLAIN)}
    for each in CHANGES[version][kind]:
        *way, name = (step.removesuffix("[]") for step in each.path.split("."))
        value = {name: data.draw(ANYTHING)}
        for step in reversed(way):
            value = {step: [value]} if data.draw(st.booleans()) else {step: value}
        resource |= value
    try:
        change(resource, version)
    except NotUnderstood:
        return
    json.dumps(resource)
