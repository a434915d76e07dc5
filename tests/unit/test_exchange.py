"""A release in the forms that catalogues take in."""

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pytest

from fairhaven.exchange import DatasetAbout, croissant_dataset, dcat_dataset, hdruk_dataset
from fairhaven.kernel.errors import NotAllowedNow
from fairhaven.release.description import Bar, Description, TableDescription, Variable
from tests.support.shared_data import shared

ABOUT = DatasetAbout(
    title="Demonstration hub, release r0002",
    abstract="Linked records of three practices, two trusts and a council.",
    publisher="Demonstration hub",
    publisher_id="https://ror.org/000000000",
    contact="data@example.org",
    release="r0002",
    number=2,
    as_of=dt.date(2026, 11, 1),
    issued=dt.date(2026, 11, 2),
    hash="ab" * 32,
)
SEX = Variable(
    name="gender_concept_id",
    kind="concept",
    type="integer",
    is_required=True,
    missing=0,
    missing_share=0.0,
    distinct=2,
    bars=(
        Bar(label="FEMALE", code="8532", rows=600, persons=600),
        Bar(label="MALE", code="8507", rows=494, persons=494),
    ),
)
RELEASE = Description(
    policy="ons",
    persons=1_094,
    first_year=1998,
    last_year=2026,
    tables=(
        TableDescription(
            name="person", rows=1_094, persons=1_094, first_year=None, last_year=None, variables=(SEX,), content="p"
        ),
        TableDescription(name="death", rows=0, persons=0, first_year=None, last_year=None, variables=(), content=""),
        TableDescription(
            name="measurement", rows=None, persons=None, first_year=None, last_year=None, variables=(), content=""
        ),
    ),
)


def _schema() -> Any:
    return json.loads(shared("reference", "hdruk", "hdruk-4.0.0.schema.json").read_text(encoding="utf-8"))


def test_the_hdr_uk_form_has_what_its_schema_requires_and_nothing_that_it_does_not_know() -> None:
    _fits(hdruk_dataset(RELEASE, ABOUT), _schema(), _schema()["$defs"], "dataset")


def test_the_hdr_uk_form_is_valid_where_a_validator_is_at_hand() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator(_schema()).validate(hdruk_dataset(RELEASE, ABOUT))


def test_the_hdr_uk_form_tells_persons_values_and_earlier_versions() -> None:
    dataset = hdruk_dataset(RELEASE, ABOUT)
    assert dataset["summary"]["populationSize"] == 1_094
    assert dataset["version"] == "2.0.0"
    assert [revision["version"] for revision in dataset["revisions"]] == ["1.0.0"]
    tables = {table["name"]: table for table in dataset["structuralMetadata"]["tables"]}
    assert set(tables) == {"person", "measurement"}, "an empty table has no structure to describe"
    assert tables["person"]["columns"][0]["values"][0] == {"name": "8532", "description": "FEMALE", "frequency": 600}


def test_too_few_persons_refuse_the_hdr_uk_form_because_it_must_say_how_many() -> None:
    with pytest.raises(NotAllowedNow, match="too few persons"):
        hdruk_dataset(replace(RELEASE, persons=None), ABOUT)


def test_the_dcat_form_is_a_dataset_that_is_not_public() -> None:
    dataset = dcat_dataset(RELEASE, ABOUT)
    assert dataset["@type"] == "dcat:Dataset"
    assert dataset["dct:accessRights"]["@id"].endswith("/NON_PUBLIC")
    assert dataset["healthdcatap:numberOfUniqueIndividuals"]["@value"] == "1094"
    assert "healthdcatap:numberOfRecords" not in dataset, "one table's rows are hidden, so the sum would tell them"
    used = {key.partition(":")[0] for key in json.dumps(dataset).replace('"', " ").split() if key.count(":") == 1}
    assert {"dct", "dcat", "foaf", "vcard", "healthdcatap"} <= set(dataset["@context"]) & (used | {"healthdcatap"})


def test_the_croissant_form_names_every_file_with_its_hash_and_every_field() -> None:
    files = {"person": [("person/bucket-000.parquet", "cd" * 32), ("person/bucket-001.parquet", "ef" * 32)]}
    dataset = croissant_dataset(RELEASE, ABOUT, files=files)
    objects = {part["@id"]: part for part in dataset["distribution"]}
    assert objects["person/bucket-001.parquet"]["sha256"] == "ef" * 32
    assert [record["@id"] for record in dataset["recordSet"]] == ["person"]
    (field,) = dataset["recordSet"][0]["field"]
    assert field["source"] == {"fileSet": {"@id": "person-files"}, "extract": {"column": "gender_concept_id"}}
    assert objects["person-files"]["containedIn"] == [{"@id": path} for path, _ in files["person"]]


def test_the_croissant_form_of_a_single_file_refers_to_it_directly() -> None:
    dataset = croissant_dataset(RELEASE, ABOUT, files={"person": [("person.parquet", "cd" * 32)]})
    assert dataset["recordSet"][0]["field"][0]["source"]["fileObject"] == {"@id": "person.parquet"}


def _fits(value: Any, schema: Any, definitions: Any, place: str) -> None:
    """The part of JSON Schema that tells a wrong name from a right one: required, known properties, enumerations."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    for branch in schema.get("allOf", []):
        _fits(value, branch, definitions, place)
    if branches := schema.get("anyOf"):
        faults = []
        for branch in branches:
            try:
                _fits(value, branch, definitions, place)
            except AssertionError as fault:
                faults.append(str(fault))
        assert len(faults) < len(branches), f"{place} fits no form: {faults}"
    if "enum" in schema:
        assert value in schema["enum"], f"{place} is not one of its values"
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    if "type" in schema:
        assert isinstance(value, kinds[schema["type"]]), f"{place} is no {schema['type']}"
    if isinstance(value, dict) and "properties" in schema:
        assert set(schema.get("required", [])) <= set(value), f"{place} lacks a field"
        assert set(value) <= set(schema["properties"]), f"{place} has a field too many"
        for key, part in value.items():
            _fits(part, schema["properties"][key], definitions, f"{place}.{key}")
    if isinstance(value, list) and "items" in schema:
        for part in value:
            _fits(part, schema["items"], definitions, f"{place}[]")
