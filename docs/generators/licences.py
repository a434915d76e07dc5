"""The reference page of licences, made from the bill of materials; run as a module, it judges them (`make check`)."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution
from typing import Any

from license_expression import ExpressionError, Licensing

from docs.generators.bill_of_materials import BILL, REQUIREMENTS, Locked, installed, licence, locked

ALLOWED = {
    "0BSD": "",
    "Apache-2.0": "",
    "BSD-2-Clause": "",
    "BSD-3-Clause": "",
    "CC0-1.0": "",
    "ISC": "",
    "MIT": "",
    "MIT-0": "",
    "MPL-2.0": "binds changes to its own files only; we make none",
    "PSF-2.0": "",
    "Zlib": "",
}
"""Licences that what Fairhaven runs on may have, with the reason where one is not merely permissive."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """A package of the bill.

    Args:
        licence: an expression of SPDX.
        marker: where it is installed, as PEP 508 says it; empty: everywhere.
    """

    ref: str
    name: str
    version: str
    licence: str
    marker: str


def listed(bill: Mapping[str, Any]) -> tuple[Listed, ...]:
    """The packages of a bill of materials."""
    return tuple(
        Listed(
            ref=component["bom-ref"],
            name=component["name"],
            version=component["version"],
            licence=" AND ".join(map(_stated, component.get("licenses", ()))),
            marker=next((each["value"] for each in component.get("properties", ())), ""),
        )
        for component in bill["components"]
    )


def is_allowed(expression: str) -> bool:
    """Whether somebody may choose licences of the list so that an expression of SPDX is satisfied."""
    try:
        parsed = Licensing(ALLOWED).parse(expression)
    except ExpressionError:
        return False
    return parsed is not None and _satisfied(parsed)


def faults(bill: Mapping[str, Any], packages: Collection[Locked], here: Mapping[str, Distribution]) -> Iterator[str]:
    """What is wrong with the licences of what is locked, a sentence each.

    Args:
        here: what is installed, by `Locked.ref`.
    """
    in_bill = {package.ref: package for package in listed(bill)}
    for ref in sorted(in_bill.keys() ^ {package.ref for package in packages}):
        yield f"{ref} is in one of {REQUIREMENTS.name} and {BILL.name} only: run `make lock`."
    for ref, package in in_bill.items():
        if not is_allowed(package.licence):
            yield (
                f"{ref} has the licence {package.licence or 'that nobody stated'}, which is not on the list of those allowed: do without the package, "
                "or enter the licence in docs/generators/licences.py with the reason."
            )
        if ref in here and (now := licence(here[ref])) != package.licence:
            yield f"{ref} is {now or 'under no stated licence'} as installed, and {package.licence} in {BILL.name}: run `make lock`."


def page() -> str:
    """The page of licences as Markdown."""
    lines = [
        "# Licences of what Fairhaven runs on",
        "",
        (
            "Made from the bill of materials, `requirements/run.cdx.json` (CycloneDX 1.6), by `make docs`; a test holds it to that. `make lock` makes the bill from "
            "`requirements/run.txt`. `make check` fails on a licence that is not on the list below, and where bill, requirements and what is installed differ."
        ),
        "",
        "| package | version | licence | where |",
        "|---|---|---|---|",
        *(
            f"| {package.name} | {package.version} | {package.licence} | {f'`{package.marker}`' if package.marker else 'everywhere'} |"
            for package in listed(json.loads(BILL.read_text(encoding="utf-8")))
        ),
        "",
        "## Allowed",
        "",
        *(f"- {name}{f': {reason}' if reason else ''}" for name, reason in ALLOWED.items()),
        "",
        "## What this does not show",
        "",
        (
            "The licences are what each package states of itself. Wheels with compiled code carry libraries of others inside, whose licences are in the wheel's own "
            "licence files (numpy's, for one, brings GCC's Fortran runtime, under the GPL with GCC's runtime exception). What builds and tests Fairhaven "
            "(`requirements/build.txt`, `requirements/test.txt`) and the optional extras `dp`, `postgresql`, `spark` and `sail` are not in it."
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    packages = locked(REQUIREMENTS.read_text(encoding="utf-8"))
    wrong = list(faults(json.loads(BILL.read_text(encoding="utf-8")), packages, installed(packages)))
    sys.stderr.writelines(f"{fault}\n" for fault in wrong)
    return 1 if wrong else 0


def _stated(licence: Mapping[str, Any]) -> str:
    stated = licence.get("license", {})
    return str(licence.get("expression") or stated.get("id") or stated.get("name"))


def _satisfied(expression: Any) -> bool:
    """Whether the list satisfies a parsed expression. A licence with an exception (WITH) is another licence."""
    if expression.isliteral:
        return str(expression) in ALLOWED
    judged = [_satisfied(part) for part in expression.args]
    return any(judged) if type(expression).__name__ == "OR" else all(judged)


if __name__ == "__main__":
    sys.exit(main())
