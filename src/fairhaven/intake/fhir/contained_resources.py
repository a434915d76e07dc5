"""Resources contained in one that lists them, as resources of their own.

GP Connect sends ended allergies within the List that names them, and laboratories results within their report. A contained resource is what the
one around it says that it is (hl7.org/fhir/R4/references.html#contained); one that a list has as its member is a fact like others. It lies
on the line of what contains it, and goes with that.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fairhaven.intake.fhir.bundle_entries import DELETED, TAGS
from fairhaven.intake.fhir.ndjson_lines import parsed, point
from fairhaven.intake.fhir.version_changes import RENAMED_TYPES
from fairhaven.intake.fhir.views import VIEWS

_REFUSED = frozenset({"entered-in-error", "cancelled"})
"""States of what contains a resource in which it says nothing any more, and takes back what it said."""

_NO_FACTS = frozenset({"Patient", "Encounter", "Coverage"})
_FACTS = frozenset(kind for kind, views in VIEWS.items() if views[0].patient) - _NO_FACTS
_OF_PATIENT_ELEMENT = frozenset({"AllergyIntolerance", "Immunization", "Device"})
"""Types whose patient stands in ``patient``; in others in ``subject``."""


def _each(value: Any) -> list[Any]:
    parts = value if isinstance(value, list) else [value]
    return [part for part in parts if isinstance(part, dict)]


def _listed(resource: Mapping[str, Any]) -> Iterator[Any]:
    for entry in _each(resource.get("entry")):
        if entry.get("deleted") is not True and "modifierExtension" not in entry:
            yield entry.get("item")


def _in_sections(resource: Mapping[str, Any]) -> Iterator[Any]:
    for section in _each(resource.get("section")):
        if "modifierExtension" not in section:
            yield from _each(section.get("entry"))
            yield from _in_sections(section)


def _members(resource: Mapping[str, Any]) -> Iterator[Any]:
    yield from _each(resource.get("hasMember"))
    for related in _each(resource.get("related")):
        if related.get("type") == "has-member":
            yield related.get("target")


_MEMBERS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Any]]] = {
    "List": _listed,
    "Composition": _in_sections,
    "DiagnosticReport": lambda report: iter(_each(report.get("result"))),
    "Observation": _members,
    "Encounter": lambda encounter: (each.get("condition") for each in _each(encounter.get("diagnosis"))),
}
"""Type of a resource -> the references to what it lists as its own."""


def _members_of(resource: Mapping[str, Any]) -> list[Any]:
    listing = _MEMBERS.get(resource.get("resourceType", ""))
    return list(listing(resource)) if listing else []


_MAY_CONTAIN = f'"({"|".join(_MEMBERS)})"'


def with_contained(rows: pa.Table) -> pa.Table:
    """Lines (``row_line, text``), and behind them those of the resources that are contained in them and listed, with the number of their line."""
    text = rows["text"]
    # Hardly any line contains one; the pattern is looked for where the word is.
    contains = pc.match_substring(text, '"contained"')
    if not pc.any(contains).as_py():
        return rows
    may_contain = pc.and_(contains, pc.match_substring_regex(text, _MAY_CONTAIN))
    if not pc.any(may_contain).as_py():
        return rows
    apart = [_apart(each.as_py()) if may else [] for each, may in zip(text, may_contain.to_pylist(), strict=True)]
    whole = [found[0] if found else each.as_py() for found, each in zip(apart, text, strict=True)]
    lines = rows["row_line"].to_pylist()
    inner = [(line, each) for line, found in zip(lines, apart, strict=True) for each in found[1:]]
    return pa.table(
        {
            "row_line": pa.array([*lines, *(line for line, _ in inner)], pa.int64()),
            "text": pa.array([*whole, *(each for _, each in inner)], pa.large_string()),
        }
    )


def _apart(text: str) -> list[str]:
    """A resource without those that it contains and lists, and each of them; nothing where it lists none of what it contains."""
    holder = parsed(text)
    if not isinstance(holder, dict) or holder.get("resourceType") not in _MEMBERS:
        return []
    if "modifierExtension" in holder or "implicitRules" in holder:
        return []  # it is in quarantine as it is, with all that it contains
    inner = {f"#{each['id']}": each for each in _each(holder.get("contained")) if isinstance(each.get("id"), str)}
    listed = _reached(holder, inner)
    if not listed:
        return []
    rest = [each for reference, each in inner.items() if reference not in listed]
    moved = _moved(listed, holder)
    for reference, each in listed.items():
        each["id"] = moved[reference].partition("/")[2]
        # What it shares with others, a medication, say, is found in it.
        each |= {"contained": rest, "meta": _meta(holder)}
        _of_patient(each, holder)
    holder["contained"] = [each for each in _each(holder.get("contained")) if each not in listed.values()]
    found = [holder, *listed.values()]
    for each in found:
        point(each, moved)
    return [json.dumps(each) for each in found]


def _reached(holder: Mapping[str, Any], inner: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Reference -> the fact that it names, of those that a resource lists, and those that these list."""
    found = dict[str, dict[str, Any]]()
    to_look = [holder]
    while to_look:
        each = to_look.pop(0)
        for member in _members_of(each):
            reference = member.get("reference") if isinstance(member, dict) else None
            named = inner.get(reference) if isinstance(reference, str) and reference not in found else None
            kind = named.get("resourceType") if named else None
            if named and isinstance(kind, str) and RENAMED_TYPES.get(kind, kind) in _FACTS:
                found[str(reference)] = named
                to_look.append(named)
    return found


def _moved(listed: Mapping[str, dict[str, Any]], holder: Mapping[str, Any]) -> dict[str, str]:
    """Reference within a resource -> the name of what it names as a resource of its own, which hangs on no order."""
    said = {reference: _name(each, _place(each, holder)) for reference, each in listed.items()}
    shared = Counter(said.values())
    taken = Counter[str]()
    moved = dict[str, str]()
    for reference, each in listed.items():
        name = said[reference]
        if shared[name] > 1:
            # An order's number stands at all of its results.
            name = _name(each, [name, _content(each)])
        taken[name] += 1
        # Of those that are equal it does not matter which is the second.
        moved[reference] = name if taken[name] == 1 else f"{name}-{taken[name]}"
    return moved


def _place(resource: Mapping[str, Any], holder: Mapping[str, Any]) -> list[Any]:
    """What tells a contained resource from others in every delivery: its patient, and its place in a resource that has an id, or its identifier,
    code and time, or else all that it says. An identifier without a system is a number that others use, too."""
    whose, inner = _whose(resource, holder), resource["id"]
    if isinstance(holder.get("id"), str):
        return [whose, holder["resourceType"], holder["id"], inner]
    for identifier in _each(resource.get("identifier")):
        if identifier.get("system") and identifier.get("value"):
            times = _times(resource) or _times(holder)
            return [whose, identifier["system"], identifier["value"], resource.get("code"), times]
    return [whose, _content(resource)]


def _content(resource: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in resource.items() if key != "id"}


def _times(resource: Mapping[str, Any]) -> dict[str, Any]:
    """When a result is of: of one order's there may be several of a code."""
    return {key: value for key, value in resource.items() if key.startswith("effective")}


def _name(resource: Mapping[str, Any], said: Any) -> str:
    kind = resource["resourceType"]
    text = json.dumps([kind, said], sort_keys=True)
    return f"{kind}/contained-{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def _whose(resource: Mapping[str, Any], holder: Mapping[str, Any]) -> Any:
    """How the patient is called, without the server, the version and the words beside the name."""
    named = _patient_of(resource, holder)
    reference = named.get("reference") if isinstance(named, dict) else None
    if isinstance(reference, str):
        path = reference.partition("/_history/")[0]
        return "/".join(path.split("/")[-2:])
    identifier = named.get("identifier") if isinstance(named, dict) else None
    return [identifier.get("system"), identifier.get("value")] if isinstance(identifier, dict) else None


def _meta(holder: Mapping[str, Any]) -> dict[str, Any]:
    """The version of what contains it is its own; it is taken back where that says nothing any more."""
    meta = holder.get("meta")
    found = {key: meta[key] for key in ("lastUpdated", "versionId") if key in meta} if isinstance(meta, dict) else {}
    tags = meta.get("tag", []) if isinstance(meta, dict) else []
    is_refused = holder.get("status") in _REFUSED
    return {**found, "tag": [{"system": TAGS, "code": DELETED}] if is_refused else tags}


def _of_patient(resource: dict[str, Any], holder: Mapping[str, Any]) -> None:
    """Fill in whose it is, where it does not say so itself, or says it by what is contained."""
    if (patient := _patient_of(resource, holder)) is not None:
        resource[_patient_element(resource)] = patient


def _patient_of(resource: Mapping[str, Any], holder: Mapping[str, Any]) -> Any:
    own, theirs = resource.get(_patient_element(resource)), holder.get("subject", holder.get("patient"))
    reference = own.get("reference") if isinstance(own, dict) else None
    is_own = isinstance(own, dict) and not (isinstance(reference, str) and reference.startswith("#"))
    return own if is_own or theirs is None else theirs


def _patient_element(resource: Mapping[str, Any]) -> str:
    return "patient" if resource["resourceType"] in _OF_PATIENT_ELEMENT else "subject"
