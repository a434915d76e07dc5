"""Whatever terms say: reading what is written gives the same terms, and they do not differ from themselves."""

import datetime as dt
from pathlib import Path
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.access.terms.data_use import NEEDS, DataUse
from fairhaven.access.terms.model import Commercial, DataController, LegalBasis, Officer, Question, Terms
from fairhaven.access.terms.request_class import RequestClass
from fairhaven.access.terms.sensitivity import Sensitivity
from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.term_words import AnswerKind, CommercialModel, Confidentiality
from fairhaven.access.terms.terms_difference import changes
from fairhaven.access.terms.terms_english import lines_of
from fairhaven.access.terms.terms_files import shipped_tiers
from fairhaven.access.terms.terms_record import TermsInForce, recorded
from fairhaven.access.terms.terms_toml import written
from fairhaven.access.terms.tiers import Tiers
from fairhaven.kernel.toml import Document
from fairhaven.kernel.toml_models import read_model
from fairhaven.people.countries import COUNTRIES
from tests.support.examples import examples

_N = TypeVar("_N", bound=TermNoun)
_HOSTILE = (
    '"',
    "\\",
    "'''",
    '"""',
    "# none",
    "a\nb\n",
    "x\t",
    "[x]\ny = 1",
    "£",
    "𝔸",
    "= 3",
    "{}",
    "\\u0041",
    "é ",
    "日本",
)
_NAMES = ("a", "B_1", "gp-north", "0", "_", "terms", "true", "1979-05-27", "inf")
_COLUMNS = ("*", "person.*", "note.note_text", "measurement.value_as_number")
_ONE_OF = {"name": _NAMES, "country": sorted(COUNTRIES)}
_SOME_OF = {
    **dict.fromkeys(("countries", "places"), sorted(COUNTRIES)),
    **dict.fromkeys(("columns", "columns_never"), _COLUMNS),
    **dict.fromkeys(("datasets", "controllers", "projects"), _NAMES),
}
_MOST = {"review_days": 365, "opt_out_days": 30, "one_looked_at_in": 10}


def _some(random: Random, items: Any) -> tuple[Any, ...]:
    listed = list(items)
    return tuple(random.sample(listed, random.randint(1, min(3, len(listed)))))


def _value(random: Random, name: str, annotation: Any) -> Any:
    """A value of a field's type."""
    if name in _ONE_OF:
        return random.choice(_ONE_OF[name])
    if name in _SOME_OF:
        return _some(random, _SOME_OF[name])
    origin, arguments = get_origin(annotation), [each for each in get_args(annotation) if each is not NoneType]
    if origin in (Annotated, Union, UnionType):
        return _value(random, name, arguments[0])
    if origin is tuple:
        made = [_value(random, "", arguments[0]) for _ in range(random.randint(1, 3))]
        distinct = {getattr(each, "name", getattr(each, "country", each)): each for each in made}
        return tuple(distinct.values())
    if annotation is str:
        return "".join(random.choices(_HOSTILE, k=random.randint(1, 3)))
    if annotation in (bool, float):
        return random.random() < 0.5 if annotation is bool else random.uniform(0.001, 100)
    if annotation is int:
        return random.randint(1, _MOST.get(name, 1200))
    if annotation is dt.date:
        return dt.date.fromordinal(random.randint(700_000, 800_000))
    return _noun(random, annotation) if issubclass(annotation, TermNoun) else random.choice(list(annotation))


def _noun(random: Random, form: type[_N]) -> _N:
    """A noun of which each field is what its type allows; what depends on another field follows it."""
    fields = form.model_fields
    said = [name for name, info in fields.items() if info.is_required() or random.random() < 0.6]
    values = {name: _value(random, name, fields[name].annotation) for name in said}
    for name, is_needed in _needed(form, values).items():
        if is_needed:
            values.setdefault(name, _value(random, name, fields[name].annotation))
        else:
            values.pop(name, None)
    for first, later in (("starts", "ends"), ("letter_on", "ends"), ("letter_on", "last_review_on")):
        if first in values and later in values:
            values[later] = max(values[first], values[later])
    return form.model_validate(values)


def _needed(form: type[TermNoun], values: dict[str, Any]) -> dict[str, bool]:
    """Fields that must be there, or must not, because of what others say."""
    if form is DataUse:
        codes = (values["permission"], *values.get("modifiers", ()))
        return {name: code in codes for code, names in NEEDS.items() for name in names}
    if form is Commercial:
        model = values.get("model")
        names = {"prices": CommercialModel.PRICE_LIST, "milestones": CommercialModel.MILESTONES, "share_percent": CommercialModel.REVENUE_SHARE}  # fmt: skip
        return {name: model is each for name, each in names.items()}
    if form is LegalBasis:
        rests_on = values["confidentiality"]
        return {
            **({"consent": True} if rests_on is Confidentiality.CONSENT else {}),
            **({"section_251": True} if rests_on is Confidentiality.SECTION_251 else {}),
        }
    if form is Question:
        return {"choices": values.get("kind") is AnswerKind.CHOICE, "accepted": False}
    return {}


def _controller(random: Random) -> DataController:
    terms = {
        name: _noun(random, Terms).model_copy(update={"datasets": (name,) if place else ("*",)})
        for place, name in enumerate(_some(random, _NAMES))
    }
    sensitivity = {name: _noun(random, Sensitivity) for name in _some(random, _NAMES)}
    words = {name: _value(random, name, str) for name in ("title", "contact", "summary")}
    return DataController.model_validate(
        {**words, "officer": _noun(random, Officer), "terms": terms, "sensitivity": sensitivity}
    )


def _read(text: str, form: type[_N], folder: Path) -> _N:
    path = folder / "written.toml"
    path.write_bytes(text.encode())
    document = Document(path)
    read = read_model(document, form)
    assert read is not None, "\n".join([*map(str, document.faults), text])
    return read


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("written")


@examples(40)
@given(seed=st.integers(0, 1 << 32))
def test_reading_what_is_written_gives_the_same_terms(seed: int, folder: Path) -> None:
    controller = _controller(Random(seed))
    read = _read(written(controller), DataController, folder)
    assert read == controller
    assert TermsInForce.of(recorded(controller)).controller == controller
    assert not changes(controller, read)
    assert all(line.words for terms in read.terms.values() for line in lines_of(terms))


@examples(20)
@given(seed=st.integers(0, 1 << 32))
def test_reading_what_is_written_gives_the_same_class(seed: int, folder: Path) -> None:
    made = _noun(Random(seed), RequestClass)
    assert _read(written(made), RequestClass, folder) == made


def test_reading_what_is_written_gives_the_same_tiers(folder: Path) -> None:
    assert _read(written(shipped_tiers()), Tiers, folder) == shipped_tiers()
