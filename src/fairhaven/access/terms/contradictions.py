"""What cannot both hold of what terms say: within one set of terms, between a class and terms, and what is overdue. Pure."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fairhaven.access.terms.data_use import DuoModifier, purposes_of
from fairhaven.access.terms.model import EVERYTHING, DataController, Terms
from fairhaven.access.terms.request_class import RequestClass
from fairhaven.access.terms.term_words import (
    Article6,
    Article9,
    CommercialModel,
    Confidentiality,
    Level,
    OptOuts,
    UsePurpose,
)
from fairhaven.access.terms.tiers import Tiers
from fairhaven.people.countries import is_within
from fairhaven.people.people_words import Sector

_HOME = "GB"


@dataclass(frozen=True, kw_only=True, slots=True)
class Contradiction:
    """Something that cannot hold beside something else.

    Args:
        path: the file, as ``controllers/NAME.toml``.
        field: the dotted place in it.
        message: both sides, in words.
    """

    path: str
    field: str
    message: str


Found = Iterator[tuple[str, str]]
"""(field of the terms, message)."""


def within_terms(name: str, controller: DataController) -> Iterator[Contradiction]:
    """What cannot both hold in each set of a controller's terms."""
    for title, terms in controller.terms.items():
        for check in _CHECKS:
            for field, message in check(terms):
                yield Contradiction(path=_file(name), field=f"terms.{title}.{field}", message=message)


def with_tiers(name: str, controller: DataController, tiers: Tiers, datasets: Sequence[str]) -> Iterator[Contradiction]:
    """Levels that terms allow of datasets whose sensitivity rules them out in every tier.

    Args:
        datasets: the controller's.
    """
    for dataset in datasets:
        terms = controller.terms_for(dataset)
        if terms is None:
            continue
        needed = tiers.needed([controller.sensitivity.get(dataset)], ())
        enough = tiers.tier[tiers.tier.index(needed) :]
        possible = {level for tier in enough for level in tier.levels}
        for level in terms.setting.levels:
            if level not in possible:
                message = (
                    f"allows {level.meaning}, which no tier that {dataset} needs ({needed.name} or a higher one) has"
                )
                title = next(title for title, each in controller.terms.items() if each is terms)
                yield Contradiction(path=_file(name), field=f"terms.{title}.setting.levels", message=message)


def with_flows(
    name: str, controller: DataController, leaves_opt_outs_out: Mapping[str, bool]
) -> Iterator[Contradiction]:
    """Sources that do not leave out whom the terms leave out.

    Args:
        leaves_opt_outs_out: dataset -> whether its source leaves out people who opted out.
    """
    for dataset, is_applied in leaves_opt_outs_out.items():
        terms = controller.terms_for(dataset)
        if terms is not None and terms.flow.opt_outs is OptOuts.LEFT_OUT and not is_applied:
            title = next(title for title, each in controller.terms.items() if each is terms)
            message = f"people who opted out are left out, but sources/{dataset}.toml says national_opt_out = false"
            yield Contradiction(path=_file(name), field=f"terms.{title}.flow.opt_outs", message=message)


def with_names(
    name: str, controller: DataController, datasets: Sequence[str], columns: Mapping[str, Sequence[str]]
) -> Iterator[Contradiction]:
    """Names in terms that nothing has.

    Args:
        datasets: the controller's.
        columns: tables of a release -> their columns.
    """
    known = ", ".join(sorted(datasets)) or "none"
    for title, terms in controller.terms.items():
        for place, dataset in enumerate(terms.datasets):
            if dataset not in (EVERYTHING, *datasets):
                message = f"{dataset} is no source of this controller (its sources: {known})"
                yield Contradiction(path=_file(name), field=f"terms.{title}.datasets[{place}]", message=message)
        for field in ("columns", "columns_never"):
            for place, message in _unknown_columns(getattr(terms, field), columns):
                yield Contradiction(path=_file(name), field=f"terms.{title}.{field}[{place}]", message=message)
    for dataset in controller.sensitivity:
        if dataset not in datasets:
            message = f"{dataset} is no source of this controller (its sources: {known})"
            yield Contradiction(path=_file(name), field=f"sensitivity.{dataset}", message=message)


def of_class(
    name: str,
    each: RequestClass,
    controllers: Mapping[str, DataController],
    owners: Mapping[str, str],
    columns: Mapping[str, Sequence[str]],
) -> Iterator[Contradiction]:
    """Names in a class that nothing has, and what it lets pass that the terms of one of its controllers do not allow.

    Args:
        owners: dataset -> its controller.
        columns: tables of a release -> their columns.
    """
    path = f"classes/{name}.toml"
    for place, message in _unknown_columns(each.columns, columns):
        yield Contradiction(path=path, field=f"columns[{place}]", message=message)
    for place, controller in enumerate(each.controllers):
        if controller not in controllers:
            message = f"there is no controllers/{controller}.toml that can be read"
            yield Contradiction(path=path, field=f"controllers[{place}]", message=message)
    for place, dataset in enumerate(each.datasets):
        owner = owners.get(dataset, "")
        if owner not in each.controllers:
            message = f"{dataset} is no source of the class's controllers ({', '.join(each.controllers)})"
            yield Contradiction(path=path, field=f"datasets[{place}]", message=message)
        elif owner in controllers:
            terms = controllers[owner].terms_for(dataset)
            if terms is None:
                message = f"{owner} has no terms for {dataset}"
                yield Contradiction(path=path, field=f"datasets[{place}]", message=message)
                continue
            for field, more in _wider(each, terms):
                message = f"{more}, which the terms of {owner} for {dataset} do not allow"
                yield Contradiction(path=path, field=field, message=message)


def overdue(name: str, controller: DataController, today: dt.date) -> Iterator[Contradiction]:
    """Days of terms that have passed. No contradiction, for the file may say them rightly; reads are refused all the same."""
    for title, terms in controller.terms.items():
        legal = terms.legal
        support = legal.section_251
        days: tuple[tuple[str, dt.date | None, str], ...] = (
            ("ends", terms.ends, "the agreement ended"),
            ("review_on", terms.review_on, "the agreement was to be reviewed"),
            (
                "legal.dpia.review_on",
                legal.dpia.review_on if legal.dpia else None,
                "the impact assessment was to be reviewed",
            ),
            (
                "legal.ethics.review_on",
                legal.ethics.review_on if legal.ethics else None,
                "the ethics committee's approval ended",
            ),
            ("legal.section_251.last_review_on", support.review_due if support else None, "the annual review was due"),
            ("legal.section_251.ends", support.ends if support else None, "support under section 251 ended"),
        )
        for field, day, what in days:
            if day is not None and day < today:
                yield Contradiction(path=_file(name), field=f"terms.{title}.{field}", message=f"{what} on {day}")


def _file(name: str) -> str:
    return f"controllers/{name}.toml"


def _unknown_columns(asked: Iterable[str], columns: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, str]]:
    """(place, message) for what is no column of a release."""
    for place, each in enumerate(asked):
        if each == EVERYTHING:
            continue
        table, _, column = each.partition(".")
        if table not in columns:
            yield place, f"{table} is no table of a release (OMOP CDM 5.4)"
        elif column != EVERYTHING and column not in columns[table]:
            yield place, f"{table} has no column {column} in a release (OMOP CDM 5.4)"


def _wider(each: RequestClass, terms: Terms) -> Found:
    """(field of the class, what it lets pass) where that is more than the terms allow."""
    use, setting = terms.use, terms.setting
    for field, allowed in (("purposes", use.purposes), ("sectors", use.sectors), ("levels", setting.levels)):
        for word in getattr(each, field):
            if word not in allowed:
                yield field, f"lets {word.meaning} pass"
    for country in each.countries:
        if not any(is_within(country, allowed) for allowed in use.countries):
            yield "countries", f"lets {country} pass"
    for column in each.columns:
        if not _is_allowed(column, terms):
            yield "columns", f"lets {column} pass"
    if each.commercial and not terms.commercial.allowed:
        yield "commercial", "lets commercial uses pass"
    if each.longest_months > setting.longest_months:
        yield "longest_months", f"lets projects of {each.longest_months} months pass"
    if terms.ends is not None and each.ends > terms.ends:
        yield "ends", f"lasts until {each.ends}"


def _is_allowed(column: str, terms: Terms) -> bool:
    """True where a column, all columns of a table, or everything lies within what terms allow."""
    table, _, name = column.partition(".")
    if column == EVERYTHING:
        return EVERYTHING in terms.columns and not terms.columns_never
    if name != EVERYTHING:
        return terms.allows_column(table, name)
    is_barred = any(each == EVERYTHING or each.partition(".")[0] == table for each in terms.columns_never)
    return not is_barred and not {EVERYTHING, column}.isdisjoint(terms.columns)


def _data_use(terms: Terms) -> Found:
    use = terms.use.data_use
    if use is None:
        return
    modifiers = frozenset(use.modifiers)
    left = purposes_of(use)
    place = "use.data_use.permission"
    if not left:
        yield place, f"{use.permission} with {', '.join(use.modifiers)} leaves no purpose at all"
    for purpose in terms.use.purposes if left else ():
        if purpose not in left:
            yield (
                "use.purposes",
                f"allows {purpose.meaning}, which the data use ({use.permission}{''.join(f', {each}' for each in use.modifiers)}) rules out",
            )
    no_profit = modifiers & {DuoModifier.NPU, DuoModifier.NPUNCU}
    if no_profit and Sector.INDUSTRY in terms.use.sectors:
        yield "use.sectors", f"allows companies, which {', '.join(sorted(no_profit))} rules out"
    no_commerce = modifiers & {DuoModifier.NCU, DuoModifier.NPUNCU}
    if no_commerce and terms.commercial.allowed:
        yield "commercial.allowed", f"commercial use is allowed, which {', '.join(sorted(no_commerce))} rules out"
    if DuoModifier.GS in modifiers:
        for country in terms.use.countries:
            if not any(is_within(country, allowed) for allowed in use.places):
                yield "use.countries", f"allows {country}, which GS ({', '.join(use.places)}) rules out"
    if use.months is not None and use.months < terms.setting.longest_months:
        yield (
            "setting.longest_months",
            f"a project may last {terms.setting.longest_months} months, TS allows {use.months}",
        )
    if DuoModifier.IRB in modifiers and not (terms.legal.project_ethics or terms.legal.ethics):
        yield "legal.project_ethics", "IRB requires approval by an ethics committee, and none is asked for"


def _commerce(terms: Terms) -> Found:
    commercial = terms.commercial
    if not commercial.allowed:
        if UsePurpose.PRODUCT_DEVELOPMENT in terms.use.purposes:
            yield "use.purposes", "allows development of a product to be sold, but commercial use is not allowed"
        if commercial.model is not CommercialModel.NONE:
            yield "commercial.model", "says what commercial use pays, but commercial use is not allowed"


def _law(terms: Terms) -> Found:
    legal, opt_outs = terms.legal, terms.flow.opt_outs
    if legal.consent is None and Article6.CONSENT is legal.article_6:
        yield "legal.article_6", "rests on consent, and legal.consent names no form of it"
    if legal.consent is None and Article9.CONSENT is legal.article_9:
        yield "legal.article_9", "rests on consent, and legal.consent names no form of it"
    if legal.statute is None and legal.confidentiality is Confidentiality.LAW:
        yield "legal.confidentiality", "rests on the law, and legal.statute names none"
    if legal.statute is None and opt_outs is OptOuts.LAW:
        yield "flow.opt_outs", "rests on the law, and legal.statute names none"
    if legal.confidentiality is Confidentiality.SECTION_251 and opt_outs not in (OptOuts.LEFT_OUT, OptOuts.EXEMPT):
        yield (
            "flow.opt_outs",
            "support under section 251 leaves out people who opted out, unless its letter exempts the flow",
        )
    if opt_outs is OptOuts.EXEMPT and legal.section_251 is None:
        yield "flow.opt_outs", "an exemption stands in a letter of support, and legal.section_251 names none"
    if opt_outs is OptOuts.CONSENT and legal.consent is None:
        yield "flow.opt_outs", "rests on consent, and legal.consent names no form of it"
    if opt_outs is OptOuts.NOT_CONFIDENTIAL and legal.confidentiality is not Confidentiality.NOT_CONFIDENTIAL:
        yield (
            "flow.opt_outs",
            f"says that the data are not confidential, but the duty of confidence is met by: {legal.confidentiality.meaning}",
        )
    own_care = {UsePurpose.CLINICAL_CARE, UsePurpose.CLINICAL_AUDIT}
    beyond = [purpose for purpose in terms.use.purposes if purpose not in own_care]
    if beyond and opt_outs is OptOuts.CARE:
        yield "flow.opt_outs", f"says that the flow is for the patients' own care, but {beyond[0].meaning} is allowed"
    if beyond and legal.confidentiality is Confidentiality.IMPLIED:
        yield (
            "legal.confidentiality",
            f"consent is implied for the patients' own care, but {beyond[0].meaning} is allowed",
        )


def _places(terms: Terms) -> Found:
    abroad = {transfer.country for transfer in terms.flow.transfers}
    for country in terms.use.countries:
        if not is_within(country, _HOME) and country not in abroad:
            yield (
                "use.countries",
                f"may be used from {country}, but the data may not go there: reading from abroad is a transfer",
            )
    if _HOME in abroad:
        yield "flow.transfers", "GB is no transfer"
    if terms.setting.safe_setting_only and terms.flow.sublicensing:
        yield "flow.sublicensing", "a project may hand data on, but they are read in the safe setting only"


def _times(terms: Terms) -> Found:
    if terms.ends is not None:
        months = (terms.ends.year - terms.starts.year) * 12 + terms.ends.month - terms.starts.month + 1
        if terms.setting.longest_months > months:
            yield (
                "setting.longest_months",
                f"a project may last longer than the agreement ({terms.starts} to {terms.ends})",
            )


def _columns(terms: Terms) -> Found:
    for place, column in enumerate(terms.columns):
        if column != EVERYTHING:
            barred = {EVERYTHING, column, f"{column.partition('.')[0]}.{EVERYTHING}"}
            if not barred.isdisjoint(terms.columns_never):
                yield f"columns[{place}]", f"{column} may be read and may never be read"
    if EVERYTHING in terms.columns_never:
        yield "columns_never", "nothing at all may be read"


def _levels(terms: Terms) -> Found:
    if Level.IDENTIFIABLE in terms.setting.levels and terms.legal.confidentiality is Confidentiality.NOT_CONFIDENTIAL:
        yield "setting.levels", "identifiable rows may be read, but the data are said to be not confidential"


_CHECKS: Sequence[Callable[[Terms], Found]] = (_data_use, _commerce, _law, _places, _times, _columns, _levels)
