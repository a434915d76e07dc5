"""The reviewable text of a hub: hub.toml, sources, mappings. Every fault at once, with path and line.

What controllers want is read by `hub.hub_terms`, where it is needed.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from fairhaven.disclosure import Policy
from fairhaven.harmonise import (
    CDM_READ,
    MappingFile,
    check_columns,
    codes_read,
    missing_texts,
    read_carrot,
    read_code_map,
    read_mapping,
    single_words,
    texts_read,
    words_named,
)
from fairhaven.hub.disclosure_policies import policy_in, policy_named
from fairhaven.intake import Format, ReadTexts, Source, code_columns, read_source
from fairhaven.journeys.model import HubText, Project, Settings
from fairhaven.kernel.errors import Fault, Invalid, NotFound, check_faults
from fairhaven.kernel.expansion import USUAL, ExpansionLimits
from fairhaven.kernel.listing import listed
from fairhaven.kernel.toml import Document, Section
from fairhaven.query_audit import AuditRules, folded, rules_in, rules_named

_T = TypeVar("_T")
_RulesT = TypeVar("_RulesT", Policy, AuditRules)
_SHORTEST_ABSTRACT, _LONGEST_ABSTRACT = 5, 500
_BY_IDENTITY = {"postcode": "goes to the vault; write postcode_district, its first half"}
_PATIENT = "is the patient's number, which does not land; write patient_ref, the pseudonym that stands for it"
_ABBREVIATION_LENGTH = 25  # cdm_source.cdm_source_abbreviation is varchar(25)


def read_text(folder: Path) -> HubText:
    """Read a hub's files.

    Raises:
        NotFound: the folder is not a hub.
        Invalid: with every fault of every file.
    """
    if not (folder / "hub.toml").is_file():
        raise NotFound(f"{folder} is not a hub: it has no hub.toml. Make one with `fairhaven init {folder}`.")
    faults: list[Fault] = []
    document = Document(folder / "hub.toml", "hub.toml")
    settings = _settings(document)
    faults += document.faults
    controllers = frozenset(path.stem for path in listed(folder / "controllers", "*.toml"))
    sources = _read_all(folder, "sources", read_source, faults)
    by_stem = _read_all(folder, "mappings", read_mapping, faults)
    mappings = {f"{stem}.toml": mapping for stem, mapping in by_stem.items()}
    mappings |= _read_each(
        folder / "mappings", "*.json", lambda path: read_carrot(path, f"mappings/{path.name}"), faults
    )
    code_maps = _read_each(folder / "vocabulary", "*.csv", read_code_map, faults)
    projects = _projects(_read_all(folder, "projects", _project, faults), faults)
    faults += _dangling(folder, sources, controllers, mappings)
    faults += missing_texts([rule for mapping in mappings.values() for rule in mapping.rules], code_maps)
    check_faults(sorted(faults, key=lambda fault: (fault.path, fault.line or 0)))
    mapped = single_words(code_maps)
    return HubText(
        folder=folder,
        settings=settings,
        controllers=controllers,
        sources={name: _with_texts_read(source, mappings, mapped) for name, source in sources.items()},
        mappings=mappings,
        code_maps=code_maps,
        projects=projects,
    )


def _read_all(folder: Path, kind: str, read: Callable[[Document], _T | None], faults: list[Fault]) -> dict[str, _T]:
    """Every NAME.toml of one subfolder, by NAME; what cannot be read adds its faults."""
    found: dict[str, _T] = {}
    for path in listed(folder / kind, "*.toml"):
        document = Document(path, f"{kind}/{path.name}")
        value = read(document) if document.data or not document.faults else None
        faults += document.faults
        if value is not None:
            found[path.stem] = value
    return found


def _read_each(folder: Path, names: str, read: Callable[[Path], _T], faults: list[Fault]) -> dict[str, _T]:
    """Every file of a folder whose name matches, by its name; what cannot be read adds its faults."""
    found: dict[str, _T] = {}
    for path in listed(folder, names):
        try:
            found[path.name] = read(path)
        except Invalid as error:
            faults += error.faults
    return found


def _settings(document: Document) -> Settings:
    root = document.root
    opt_out = root.section("opt_out")
    settings = Settings(
        name=root.text("name"),
        abbreviation=root.text("abbreviation", document.path.parent.resolve().name[:_ABBREVIATION_LENGTH]),
        holder=root.text("holder", root.values.get("name", "")),
        contact=root.text("contact", ""),
        abstract=root.text("abstract", ""),
        engine=root.text("engine", "duckdb", choices=("duckdb", "spark")),
        birth_date=root.text("birth_date", "month", choices=("day", "month", "year")),
        national_max_age_days=opt_out.whole("national_max_age_days", 30, at_least=0),
        disclosure=_rules(root, "disclosure", policy_in, policy_named("ons")),
        audit=_rules(root, "audit", rules_in, rules_named("standard")),
        wait_minutes=root.whole("wait_minutes", 60, at_least=0),
        expansion=_expansion(root.section("expansion")),
        readers=root.text("readers", ""),
        database=_database(root),
        database_password_file=root.text("database_password_file", ""),
    )
    if len(settings.abbreviation) > _ABBREVIATION_LENGTH:
        root.fault("abbreviation", f"is longer than {_ABBREVIATION_LENGTH} characters")
    if settings.abstract and not _SHORTEST_ABSTRACT <= len(settings.abstract) <= _LONGEST_ABSTRACT:
        root.fault(
            "abstract", f"must have {_SHORTEST_ABSTRACT} to {_LONGEST_ABSTRACT} characters, as the HDR UK form asks"
        )
    root.finish()
    return settings


def _database(root: Section) -> str:
    """The address of the hub's database; what is wrong with it is told without it, for it may hold a password."""
    if not (address := root.text("database", "")):
        return ""
    from fairhaven.records.postgresql import (
        checked_url,  # loads SQLAlchemy, which is slow, and most hubs have no address
    )

    try:
        checked_url(address)
    except Invalid as error:
        root.fault("database", str(error))
    return address


def _expansion(section: Section) -> ExpansionLimits:
    limits = ExpansionLimits(
        times=section.whole("times", USUAL.times, at_least=1),
        gigabytes=section.whole("gigabytes", USUAL.gigabytes, at_least=1),
        files=section.whole("files", USUAL.files, at_least=1),
    )
    section.finish()
    return limits


def _rules(root: Section, key: str, read: Callable[[Path, str], _RulesT], usual: _RulesT) -> _RulesT:
    """The rules that the hub names; where they cannot be had the faults say why, and *usual* stands in, unused."""
    try:
        return read(root.document.path.parent, root.text(key, usual.name))
    except NotFound as error:
        root.fault(key, str(error))
    except Invalid as error:
        root.document.faults += error.faults
    return usual


def _project(document: Document) -> Project:
    root = document.root
    project = Project(name=root.text("name"), organisation=root.text("organisation"))
    root.finish()
    return project


def _projects(by_stem: Mapping[str, Project], faults: list[Fault]) -> dict[str, Project]:
    """Projects by folded name."""
    found: dict[str, Project] = {}
    for stem, project in by_stem.items():
        if not (folded(project.name) and folded(project.organisation)) or folded(project.name) in found:
            message = "names no project or no organisation, or a project that another file names; open projects with `fairhaven project open`"
            faults.append(Fault(path=f"projects/{stem}.toml", message=message))
        found[folded(project.name)] = project
    return found


def _not_landed(source: Source) -> dict[str, dict[str, str]]:
    """Declared columns that no rule can read, and why."""
    found: dict[str, dict[str, str]] = {}
    for name, table in source.tables.items():
        found[name] = {
            column.name: _BY_IDENTITY.get(column.identity, "goes to the vault, and no rule can read it")
            for column in table.columns
            if column.identity and column.name not in table.lands()
        }
        if table.patient:
            found[name][table.patient] = _PATIENT
    return found


def _with_texts_read(
    source: Source, mappings: Mapping[str, MappingFile], mapped: Mapping[str, frozenset[str]]
) -> Source:
    """A source with what is read of its texts: what nothing reads does not land of declared tables and of a CDM, and words of lists do.

    Args:
        mapped: words that are codes of code maps, by vocabulary (`single_words`).
    """
    if source.format is Format.OMOP:
        reads = {table: ReadTexts(plain=columns, free=frozenset()) for table, columns in CDM_READ.items()}
        return replace(source, reads=reads)
    found: dict[str, ReadTexts | None] = {}
    if source.format is Format.FHIR and mapped:
        found.update((table, _words_alone(dict.fromkeys(names, mapped[""]))) for table, names in code_columns().items())
    for rule in (rule for name in source.mapping for rule in mappings[name].rules):
        for table in rule.tables:
            before = found.get(table, _words_alone({}))
            if rule.python or before is None:
                # Of FHIR the texts that rules do not read land, too.
                found[table] = before if source.format is Format.FHIR else None
                continue
            words, codes = dict(before.words), dict(before.codes)
            for column, named in words_named(rule).items():
                words[column] = words.get(column, frozenset()) | named
            for column, vocabularies in codes_read(rule).items():
                codes[column] = codes.get(column, frozenset()) | vocabularies
                if named := frozenset().union(*(mapped.get(name.lower(), frozenset()) for name in vocabularies)):
                    words[column] = words.get(column, frozenset()) | named
            if source.format is Format.FHIR:
                found[table] = _words_alone(words)
                continue
            plain, free = texts_read(rule)
            plain |= before.plain
            found[table] = ReadTexts(plain=plain, free=(free | before.free) - plain, words=words, codes=codes)
    return replace(source, reads=found) if source.tables or found else source


def _words_alone(words: Mapping[str, frozenset[str]]) -> ReadTexts:
    return ReadTexts(plain=frozenset(), free=frozenset(), words=words)


def _dangling(
    folder: Path,
    sources: Mapping[str, Source],
    controllers: Collection[str],
    mappings: Mapping[str, MappingFile],
) -> list[Fault]:
    """Names that one file uses and no other file gives."""
    faults = []
    for name, source in sources.items():
        path = f"sources/{name}.toml"
        lands = {table.name: table.lands() for table in source.tables.values()}
        place = Document(folder / path, path)
        if source.controller not in controllers:
            place.fault("controller", f"there is no controllers/{source.controller}.toml; add it")
        for mapping in source.mapping:
            if mapping not in mappings:
                place.fault("mapping", f"there is no mappings/{mapping} that can be read; add or mend it")
            elif source.tables:  # what FHIR and OMOP sources have is known only from what they deliver
                faults += check_columns(mappings[mapping].rules, lands, not_landed=_not_landed(source))
        faults += place.faults
    return faults
