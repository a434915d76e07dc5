"""How an element of another version of FHIR becomes that of R4, and by what it is known that a resource is of that version.

A change does nothing to what is in R4's form already. What a change looks for is told by the JSON type of an element, so the same
table that reads a version recognises it (`recognition`), and a resource that no change concerns is read alike by every version.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

Element = dict[str, Any]

_ANY = ("ARRAY", "BIGINT", "BOOLEAN", "DOUBLE", "OBJECT", "UBIGINT", "VARCHAR")
"""What DuckDB's ``json_type`` says of a value that is there."""


class NotUnderstood(Exception):
    """An element that can negate says something that its version does not have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sign:
    """By what a resource is of a version, or is not.

    Args:
        path: JSON path of the element, in the first of each list.
        types: JSON types that it has then.
    """

    path: str
    types: tuple[str, ...] = _ANY


@dataclass(frozen=True, kw_only=True, slots=True)
class ElementChange:
    """What becomes of one element.

    Args:
        path: of the element: ``context``, ``performer[].actor``.
        words: what becomes of it, for the reference page.
        apply: changes the object that holds the element, whose name is given.
        sign: by which the version is known; None where another version has the like.
        denial: what the version never has.
        may_negate: whether it may say that something did not happen, so that what is not known of it is not read.
    """

    path: str
    words: str
    apply: Callable[[Element, str], None]
    sign: Sign | None = None
    denial: Sign | None = None
    may_negate: bool = False

    def change(self, resource: Element) -> None:
        """Change a resource.

        Raises:
            NotUnderstood: the element may negate, and what it says is not known.
        """
        *way, name = self.path.split(".")
        found: list[Element] = [resource]
        for step in way:
            inner = [one.get(step.removesuffix("[]")) for one in found]
            listed = [part for each in inner for part in (each if isinstance(each, list) else [each])]
            found = [part for part in listed if isinstance(part, dict)]
        for one in found:
            if one.get(name) is not None:
                self.apply(one, name)


def moved(path: str, to: str) -> ElementChange:
    """It has another name in R4, in the same place."""

    def apply(one: Element, name: str) -> None:
        one.setdefault(to, one.pop(name))

    beside = f"{path.rpartition('.')[0]}.{to}".removeprefix(".")
    return ElementChange(
        path=path, words=f"`{to}`", apply=apply, sign=Sign(path=_json(path)), denial=Sign(path=_json(beside))
    )


def listed(path: str, to: str = "") -> ElementChange:
    """It is a list in R4."""

    def apply(one: Element, name: str) -> None:
        if isinstance(one[name], dict):
            one[to or name] = [one.pop(name)]

    return ElementChange(
        path=path,
        words=f"the list `{to or path}`",
        apply=apply,
        sign=Sign(path=_json(path), types=("OBJECT",)),
        denial=Sign(path=_json(to or path), types=("ARRAY",)),
    )


def first(path: str) -> ElementChange:
    """It is no list in R4: the first counts."""

    def apply(one: Element, name: str) -> None:
        if isinstance(one[name], list):
            one[name] = next(iter(_objects(one[name])), None)

    return ElementChange(
        path=path,
        words="the first of the list",
        apply=apply,
        sign=Sign(path=_json(path), types=("ARRAY",)),
        denial=Sign(path=_json(path), types=("OBJECT",)),
    )


def coded(path: str, system: str, codes: Mapping[str, str] | None = None) -> ElementChange:
    """It is a code here and a CodeableConcept in R4."""

    def apply(one: Element, name: str) -> None:
        if isinstance(code := one[name], str):
            one[name] = {"coding": [{"system": system, "code": (codes or {}).get(code, code)}]}

    others = "".join(f", `{code}` becomes `{other}`" for code, other in (codes or {}).items())
    return ElementChange(
        path=path,
        words=f"a concept{others}",
        apply=apply,
        sign=Sign(path=_json(path), types=("VARCHAR",)),
        denial=Sign(path=_json(path), types=("OBJECT",)),
    )


def uncoded(path: str) -> ElementChange:
    """It is a CodeableConcept here and a code in R4."""

    def apply(one: Element, name: str) -> None:
        if isinstance(one[name], dict):
            one[name] = next(iter(_codes(one[name])), None)

    return ElementChange(
        path=path,
        words="its code",
        apply=apply,
        sign=Sign(path=_json(path), types=("OBJECT",)),
        denial=Sign(path=_json(path), types=("VARCHAR",)),
    )


def inner(path: str, part: str) -> ElementChange:
    """It is what one part of it says: the concept or the reference of a CodeableReference, the agent of a requester."""

    def only(value: Any) -> Any:
        return value[part] if isinstance(value, dict) and isinstance(value.get(part), dict) else value

    def apply(one: Element, name: str) -> None:
        one[name] = [only(each) for each in one[name]] if isinstance(one[name], list) else only(one[name])

    json_path = _json(path.removesuffix("[]"))
    place = json_path + ("[0]" if path.endswith("[]") else "")
    plain = Sign(path=f"{place}.coding") if part == "concept" else Sign(path=f"{place}.reference", types=("VARCHAR",))
    return ElementChange(
        path=path.removesuffix("[]"),
        words=f"its `{part}`",
        apply=apply,
        sign=Sign(path=f"{place}.{part}", types=("OBJECT",)),
        denial=plain,
    )


def renamed(path: str, codes: Mapping[str, str]) -> ElementChange:
    """Codes that R4 calls otherwise."""

    def apply(one: Element, name: str) -> None:
        if isinstance(code := one[name], str):
            one[name] = codes.get(code, code)

    words = ", ".join(f"`{code}` becomes `{other}`" for code, other in codes.items())
    return ElementChange(path=path, words=words, apply=apply)


def negating(path: str, status: str, answers: Mapping[Any, bool] | None = None) -> ElementChange:
    """It says that what the resource describes did not happen, which in R4 is a status.

    Args:
        answers: what it may say -> whether that negates; None for a boolean.
    """
    known: Mapping[Any, bool] = answers or {True: True, False: False}

    def apply(one: Element, name: str) -> None:
        said = one[name]
        # In Python 1 is True, in FHIR it is nothing.
        if not isinstance(said, bool | str) or said not in known:
            raise NotUnderstood(name)
        if known[said] and one.get("status") != "entered-in-error":
            one["status"] = status

    words = ", ".join(f"`{str(said).lower()}`" for said, negates in known.items() if negates)
    return ElementChange(
        path=path, words=f"{words}: status `{status}`", apply=apply, sign=Sign(path=_json(path)), may_negate=True
    )


def present(path: str, status: str) -> ElementChange:
    """Why something did not happen: that it is there says that it did not."""

    def apply(one: Element, _: str) -> None:
        if one.get("status") != "entered-in-error":
            one["status"] = status

    return ElementChange(path=path, words=f"status `{status}`", apply=apply, sign=Sign(path=_json(path)))


def replaced(
    path: str,
    words: str,
    apply: Callable[[Element, str], None],
    *,
    sign: Sign | None = None,
    denial: Sign | None = None,
    may_negate: bool = False,
) -> ElementChange:
    """A change of its own."""
    return ElementChange(path=path, words=words, apply=apply, sign=sign, denial=denial, may_negate=may_negate)


def medication(one: Element, name: str) -> None:
    """The CodeableReference of R5 becomes ``medicationCodeableConcept`` and ``medicationReference``."""
    given = one.pop(name)
    if not isinstance(given, dict) or not any(isinstance(given.get(part), dict) for part in ("concept", "reference")):
        raise NotUnderstood(name)
    for part, to in (("concept", "medicationCodeableConcept"), ("reference", "medicationReference")):
        if isinstance(given.get(part), dict):
            one[to] = given[part]


def device_concept(one: Element, name: str) -> None:
    """R5 may say what device it is by a concept alone, for which R4 has no element."""
    if isinstance(one[name], dict) and isinstance(one[name].get("concept"), dict):
        one["deviceCodeableConcept"] = one[name]["concept"]


def adherence(one: Element, name: str, *, statuses: Mapping[str, str]) -> None:
    """Whether a medication is taken, which R4's status says."""
    said = _one_code(one, name, statuses)
    if one.get("status") not in ("entered-in-error", "intended"):
        one["status"] = statuses[said]


def never_used(one: Element, name: str) -> None:
    """Whether a device is used at all, which R4's status says."""
    said = _one_code(one, name, ("always", "never", "sometimes"))
    if said == "never" and one.get("status") != "entered-in-error":
        one["status"] = "not-done"


def _one_code(one: Element, name: str, known: Collection[str]) -> str:
    """The one known code of an element that may negate."""
    code = one[name].get("code") if isinstance(one[name], dict) else None
    found = {each for each in _codes(code) if each in known}
    if len(found) != 1:
        raise NotUnderstood(name)
    return found.pop()


def has_member(one: Element, name: str) -> None:
    """STU3 keeps the members of a panel among what else an observation is related to."""
    members = [each["target"] for each in _objects(one[name], "target") if each.get("type") == "has-member"]
    if members:
        one.setdefault("hasMember", members)


def dose(one: Element, name: str) -> None:
    """A dose stands by itself in STU3, and with its rate in R4."""
    one.setdefault("doseAndRate", [{"doseQuantity": one.pop(name)}])


def lot_of_package(one: Element, name: str) -> None:
    """The batch of a package is the medication's in R4."""
    for package in _objects([one[name]]):
        if batches := _objects(package.get("batch")):
            one.setdefault("batch", batches[0])


def participants(one: Element, name: str, *, to: str) -> None:
    """Who took part, without R5's functions: R4 names each by its own element."""
    for each in _objects(one[name], "actor")[:1]:
        one.setdefault(to, each["actor"])


def class_of_encounter(one: Element, name: str) -> None:
    """A list of concepts in R5, one coding in R4."""
    if isinstance(one[name], list):
        codings = [coding for each in _objects(one[name]) for coding in _objects(each.get("coding"))]
        one[name] = next(iter(codings), None)


def context_of_document(one: Element, name: str) -> None:
    """A list of references in R5."""
    if isinstance(one[name], list):
        one[name] = {"encounter": one[name]}


def period_of_document(one: Element, name: str) -> None:
    """Beside the context in R5, which may have none."""
    if isinstance(context := one.setdefault("context", {}), dict):
        context.setdefault("period", one[name])


def period_of_use(one: Element, name: str) -> None:
    """STU3 has ``timing[x]`` beside it, as R4 has it."""
    one.setdefault("timingPeriod", one[name])


def attester(one: Element, name: str) -> None:
    """Who attests a document, in R4 its authenticator."""
    for each in _objects(one[name], "party")[:1]:
        one.setdefault("authenticator", each["party"])


def payers(one: Element, name: str) -> None:
    """Who pays beside the insurer."""
    if parties := [each["party"] for each in _objects(one[name], "party")]:
        one.setdefault("payor", parties)


def address_of_contact(one: Element, name: str) -> None:
    """The address of an organization is that of a contact in R5."""
    if given := [each["address"] for each in _objects(one[name], "address")]:
        one.setdefault("address", given)


def _objects(value: Any, part: str = "") -> list[Element]:
    """The objects of a list, of these those whose part of this name is an object."""
    found = [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
    return [each for each in found if isinstance(each.get(part), dict)] if part else found


def _codes(concept: Any) -> list[str]:
    codings = _objects(concept.get("coding")) if isinstance(concept, dict) else []
    return [coding["code"] for coding in codings if isinstance(coding.get("code"), str)]


def _json(path: str) -> str:
    return "$." + path.replace("[]", "[0]")
