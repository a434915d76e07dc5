"""Whatever the language can say is written, read, hashed and explained."""

import json
import re
import tarfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairhaven.cohort.definition_checks import check_definition
from fairhaven.cohort.definition_hash import definition_hash
from fairhaven.cohort.english import explain, sentence
from fairhaven.cohort.formats.circe import read_circe
from fairhaven.cohort.formats.fairhaven import read_json, read_toml, to_json, to_toml
from fairhaven.cohort.model import CohortDefinition, Domain, EntryEvents, Events, Group, InclusionRule
from fairhaven.kernel.errors import Invalid
from tests.support.cohort_definitions import definitions, plainly_named
from tests.support.examples import examples
from tests.support.shared_data import shared

_MANY = examples(20)
EACH = pytest.mark.parametrize("each", [5, pytest.param(1, marks=pytest.mark.slow)])
"""Of the published definitions every fifth, and in the trials all."""
EVERY_CONDITION = EntryEvents(events=(Events(domain=Domain.CONDITION_OCCURRENCE),))


@pytest.fixture(scope="module")
def library() -> dict[str, CohortDefinition]:
    """The 1,100 published definitions by number."""
    found = {}
    with tarfile.open(shared("data", "cohorts", "phenotypelibrary_3.37.0_json.tar.gz")) as archive:
        for member in archive:
            if re.fullmatch(r".*/?\d+\.json", member.name):
                file = archive.extractfile(member)
                assert file is not None
                found[Path(member.name).stem] = read_circe(file.read())
    return found


@given(definition=definitions())
@_MANY
def test_toml_and_json_give_back_the_same_definition(
    definition: CohortDefinition, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_definition(definition)
    path = tmp_path_factory.getbasetemp() / "definition.toml"
    path.write_text(to_toml(definition), encoding="utf-8", newline="")
    assert read_toml(path) == definition
    assert read_json(json.dumps(to_json(definition))) == definition
    assert tomllib.loads(to_toml(definition)) == to_json(definition), "the two spellings have one structure"


@given(definition=definitions())
@_MANY
def test_the_hash_is_that_of_what_was_read_back(definition: CohortDefinition) -> None:
    assert definition_hash(read_json(to_json(definition))) == definition_hash(definition)


@given(definition=definitions(), width=st.integers(40, 120))
@example(
    definition=CohortDefinition(entry=EVERY_CONDITION, rules=(InclusionRule(name="False", group=Group()),)), width=40
)
@_MANY
def test_every_definition_has_words_and_no_word_of_the_program(definition: CohortDefinition, width: int) -> None:
    explanation = explain(definition)
    assert sentence(definition).endswith(".")
    assert explanation.as_markdown().count("\n## ") == len(explanation.parts)
    text = explain(plainly_named(definition)).as_text(width)
    assert not re.search(r"\b(None(?! of these)|True|False|Edge|Domain|tuple|_id\b)", text)


@EACH
def test_all_published_definitions_come_back_from_toml_and_json(
    library: dict[str, CohortDefinition], tmp_path: Path, each: int
) -> None:
    assert len(library) == 1100
    path = tmp_path / "definition.toml"
    for number, definition in list(library.items())[::each]:
        check_definition(definition)
        path.write_text(to_toml(definition), encoding="utf-8")
        assert read_toml(path) == definition, number
        assert read_json(json.dumps(to_json(definition))) == definition, number


@EACH
def test_every_published_definition_is_explained_within_the_terminals_width(
    library: dict[str, CohortDefinition], each: int
) -> None:
    for number, definition in list(library.items())[::each]:
        explanation = explain(definition)
        wide = [line for line in explanation.as_text(88).splitlines() if len(line) > 88 and " " in line.strip("- ")]
        assert not [line for line in wide if len(line.strip("- ").split()) > 1], number
        told = re.sub(r"“.*?”", "“”", sentence(definition))
        assert not re.search(r"\b(a a|an a|of of|with with|  |,,|and and|ending ending)\b|_", told), (number, told)
        assert len(told) < 1500


def test_definitions_of_the_library_with_equal_hashes_are_equal_but_for_names_and_order(
    library: dict[str, CohortDefinition],
) -> None:
    by_hash: dict[str, list[CohortDefinition]] = {}
    for definition in library.values():
        by_hash.setdefault(definition_hash(definition), []).append(definition)
    for alike in by_hash.values():
        assert len({len(definition.rules) for definition in alike}) == 1
        assert len({definition.exit for definition in alike if not hasattr(definition.exit, "concepts")}) <= 1
    assert 1000 < len(by_hash) < 1100


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["entry", "events", "rules", "members", "where", "condition_occurrence", "exit", "when", "x"]
                )
                | st.text(max_size=3),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@_MANY
def test_anything_else_is_refused_with_its_places_and_never_a_traceback(value: object) -> None:
    with pytest.raises(Invalid) as refusal:
        read_json(value, "x.json")  # type: ignore[arg-type]
    assert all(fault.path == "x.json" and fault.message for fault in refusal.value.faults)
