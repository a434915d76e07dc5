"""What a hub's folder says of terms, beside what it says of sources: read, and looked through for contradictions."""

import datetime as dt
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

from fairhaven.access.terms import contradictions
from fairhaven.access.terms.contradictions import Contradiction
from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.terms_files import ProposedTerms, read_proposed_terms
from fairhaven.hub.disclosure_policies import policy_in
from fairhaven.intake import Source
from fairhaven.journeys.model import HubText
from fairhaven.kernel.errors import Fault, Invalid, NotFound, check_faults
from fairhaven.omop.cdm import CDM, LINEAGE


def read_terms(text: HubText) -> ProposedTerms:
    """What the files of a hub say of terms; that they contradict each other is told by `terms_faults`.

    Raises:
        Invalid: with every fault of every file.
    """
    proposed = read_proposed_terms(text.folder)
    check_faults(proposed.faults)
    return proposed


def terms_faults(proposed: ProposedTerms, text: HubText) -> list[Fault]:
    """Every fault and every contradiction, by file and line."""
    found = [*proposed.faults, *map(proposed.placed, _contradictions(proposed, text))]
    return sorted(found, key=lambda fault: (fault.path, fault.line or 0))


def terms_warnings(proposed: ProposedTerms, text: HubText, *, today: dt.date) -> tuple[Fault, ...]:
    """What is no fault of the files, and to be mended: older forms, days that have passed, sources that a controller's terms forgot."""
    passed = chain.from_iterable(
        contradictions.overdue(name, each, today) for name, each in proposed.controllers.items()
    )
    without = [
        Fault(
            message=f"says no terms for {', '.join(unsaid)}, so the hub reads that for itself and nobody else does; "
            "docs/how-to/terms-of-a-controller.md",
            path=f"controllers/{name}.toml",
        )
        for name, each in proposed.controllers.items()
        if each.terms
        and (unsaid := [dataset for dataset in _datasets(text.sources, name) if each.terms_for(dataset) is None])
    ]
    return (*proposed.warnings, *map(proposed.placed, passed), *without)


def _contradictions(proposed: ProposedTerms, text: HubText) -> Iterator[Contradiction]:
    columns = {name: (*table.names, *LINEAGE) for name, table in CDM.items()}
    for name, each in proposed.controllers.items():
        datasets = _datasets(text.sources, name)
        yield from contradictions.within_terms(name, each)
        yield from contradictions.with_names(name, each, datasets, columns)
        yield from contradictions.with_tiers(name, each, proposed.tiers, datasets)
        flows = {dataset: text.sources[dataset].in_national_opt_out for dataset in datasets}
        yield from contradictions.with_flows(name, each, flows)
        yield from _unknown_policies(name, each, text.folder)
    owners = {dataset: source.controller for dataset, source in text.sources.items()}
    for name, each_class in proposed.classes.items():
        yield from contradictions.of_class(name, each_class, proposed.controllers, owners, columns)


def _unknown_policies(name: str, controller: DataController, folder: Path) -> Iterator[Contradiction]:
    """Disclosure policies that terms name and the hub has not."""
    for title, terms in controller.terms.items():
        if terms.setting.output_policy is None:
            continue
        try:
            policy_in(folder, terms.setting.output_policy)
        except (NotFound, Invalid) as error:
            field = f"terms.{title}.setting.output_policy"
            yield Contradiction(path=f"controllers/{name}.toml", field=field, message=str(error))


def _datasets(sources: Mapping[str, Source], controller: str) -> list[str]:
    """A controller's."""
    return [name for name, source in sources.items() if source.controller == controller]
