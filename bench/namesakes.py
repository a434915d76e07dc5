"""Identity records of people who are easily taken for each other, with their truth: families, twins, a father and a son of one name, and
strangers of one name born on one day.

Made independently of `bench.linkage.region_of_errors`: every person has kin or a namesake, and a fifth of the council's records
give the council's own postcode. What only a number can tell apart has its number in most records; some have none, or a slip in it.
"""

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from fairhaven.linkage.model import IDENTITY_SCHEMA
from fairhaven.nhs.number import check_digit

_HEADS = (
    "Al",
    "Be",
    "Cor",
    "Da",
    "El",
    "Fen",
    "Gil",
    "Hal",
    "Is",
    "Jo",
    "Ke",
    "Lor",
    "Mar",
    "Ned",
    "Or",
    "Pel",
    "Ros",
    "Sa",
    "Tam",
    "Wil",
)
_TAILS = (
    "an",
    "bert",
    "cia",
    "do",
    "drin",
    "ena",
    "fric",
    "gar",
    "ia",
    "is",
    "la",
    "len",
    "mund",
    "na",
    "ric",
    "sa",
    "tor",
    "wyn",
)
_PLACES = (
    "Ash",
    "Birk",
    "Crag",
    "Dun",
    "Elm",
    "Firth",
    "Glen",
    "Hazel",
    "Ings",
    "Kirk",
    "Lang",
    "Moor",
    "North",
    "Oak",
    "Pen",
    "Rush",
)
_ENDS = (
    "bury",
    "by",
    "combe",
    "dale",
    "field",
    "gate",
    "ham",
    "hurst",
    "ley",
    "mere",
    "shaw",
    "stead",
    "thorpe",
    "ton",
    "wick",
    "worth",
)
_COUNCILS_OWN = "TO1 1HL"
_SOURCES = (("gp", 0.95, 0.02), ("hospital", 0.6, 0.1), ("council", 0.55, 0.3))
"""A source, whom it knows, and of them who has no number there."""


@dataclass(frozen=True, kw_only=True)
class _Person:
    number: str
    given: str
    family: str
    birth: dt.date
    sex: str
    postcode: str
    address: str


def region_of_namesakes(families: int, *, seed: int = 1) -> tuple[pa.Table, pa.Table]:
    """Records (`IDENTITY_SCHEMA`) of about five times as many as *families*, and their truth (source, patient_ref, truth)."""
    draw = random.Random(seed)
    numbers = _numbers(draw)
    persons = [person for family in range(families) for person in _family(family, numbers, draw)]
    records: list[dict[str, object]] = []
    truth: list[dict[str, object]] = []
    for number, (source, share, without) in enumerate(_SOURCES):
        for who, person in enumerate(persons):
            if draw.random() < share:
                mark = {"source": source, "patient_ref": f"{source}-{len(truth)}"}
                records.append({**mark, "row_extract": number + 1, **_record(person, source, without, draw)})
                truth.append({**mark, "truth": who})
    return pa.Table.from_pylist(records, schema=IDENTITY_SCHEMA), pa.Table.from_pylist(truth)


def _family(number: int, numbers: Iterator[str], draw: random.Random) -> list[_Person]:
    """Two or three people of one surname, of a kind that comes in turn."""
    first = _Person(
        number=next(numbers),
        given=_name(draw),
        family=draw.choice(_PLACES) + draw.choice(_ENDS),
        birth=dt.date(1930, 1, 1) + dt.timedelta(days=draw.randrange(24_000)),
        sex=draw.choice("MF"),
        **_home(draw),
    )
    later = first.birth.year + draw.randint(18, 40)
    on_the_day = dt.date(later, first.birth.month, min(first.birth.day, 28))
    child = replace(first, number=next(numbers), birth=on_the_day + dt.timedelta(days=draw.randrange(1, 300)))
    other = next(name for name in iter(lambda: _name(draw), "") if name != first.given)
    sibling = replace(child, number=next(numbers), given=other, sex=draw.choice("MF"))
    match number % 6:
        case 0:  # of one name, born on one day of the year
            return [replace(first, birth=first.birth.replace(day=on_the_day.day)), replace(child, birth=on_the_day)]
        case 1:  # of one name
            return [first, child]
        case 2:  # twins
            return [replace(first, birth=sibling.birth), sibling]
        case 3:  # twins whose names begin alike
            return [
                child,
                replace(sibling, given=child.given[:2] + draw.choice(_TAILS) + draw.choice("ey"), sex=child.sex),
            ]
        case 4:  # strangers of one name, born on one day
            return [first, replace(child, given=first.given, birth=first.birth, **_home(draw))]
    return [first, replace(child, given=_name(draw)), replace(sibling, birth=child.birth - dt.timedelta(days=700))]


def _record(person: _Person, source: str, without: float, draw: random.Random) -> dict[str, object]:
    number: str | None = None if draw.random() < without else person.number
    if number and draw.random() < 0.01:
        number = _slip(number, draw)
    home = _home(draw) if draw.random() < 0.08 else {"postcode": person.postcode, "address": person.address}
    birth = person.birth
    if draw.random() < 0.01 and birth.day <= 12:
        birth = birth.replace(month=birth.day, day=birth.month)
    given = person.given[0] if draw.random() < 0.01 else person.given
    postcode: str | None = _COUNCILS_OWN if source == "council" and draw.random() < 0.2 else home["postcode"]
    return {
        "nhs_number": number,
        "given_name": _slip(given, draw) if draw.random() < 0.015 else given,
        "family_name": _slip(person.family, draw) if draw.random() < 0.015 else person.family,
        "birth_date": birth,
        "sex": person.sex,
        "postcode": None if draw.random() < 0.03 else postcode,
        "address": None if draw.random() < 0.3 else home["address"],
    }


def _name(draw: random.Random) -> str:
    return draw.choice(_HEADS) + draw.choice(_TAILS)


def _home(draw: random.Random) -> dict[str, str]:
    letters = "ABDEFGHJLNPQRSTUWXYZ"
    street = draw.choice(_PLACES) + draw.choice(_ENDS)
    inward = f"{draw.randint(1, 9)}{draw.choice(letters)}{draw.choice(letters)}"
    return {"postcode": f"NX{draw.randint(1, 40)} {inward}", "address": f"{draw.randint(1, 180)} {street} Street"}


def _slip(text: str, draw: random.Random) -> str:
    """One letter or digit is another, or two neighbours are swapped."""
    place = draw.randrange(max(len(text) - 1, 1))
    if draw.random() < 0.3:
        return text[:place] + text[place + 1 : place + 2] + text[place] + text[place + 2 :]
    return text[:place] + draw.choice("0123456789" if text.isdigit() else "abcdefghilmnoprstu") + text[place + 1 :]


def _numbers(draw: random.Random) -> Iterator[str]:
    """NHS numbers of the range that is given to nobody, each once."""
    for middle in draw.sample(range(10**6), 10**6):
        stem = f"999{middle:06d}"
        if (digit := check_digit(stem)) is not None:
            yield f"{stem}{digit}"
