"""Every reader of what somebody else writes: the hostile files that it is given, and how it reads one."""

import datetime as dt
import gzip
import json
import shutil
import socket
import tarfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from importlib.abc import Traversable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from pyroaring import BitMap

from fairhaven.access.terms.terms_english import lines_of
from fairhaven.access.terms.terms_files import read_proposed_terms
from fairhaven.cohort import read_definition
from fairhaven.cohort.formats.rquest import read_rquest
from fairhaven.harmonise import local_maps, read_code_map
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.hub.hub_files import read_text
from fairhaven.hub.hub_terms import terms_faults
from fairhaven.intake.delivery_records import Tombstones
from fairhaven.intake.landing import LandingKeys, tombstone
from fairhaven.kernel.errors import Invalid, check_faults
from fairhaven.kernel.files import read_json
from fairhaven.kernel.ids import pseudonym
from fairhaven.kernel.progress import Silent
from fairhaven.ledger import LEDGER, EventKind, Ledger, SignedHead, read_earlier
from fairhaven.ledger.published_ledger import PUBLISHED
from fairhaven.linkage.evaluation import trial
from fairhaven.network.result import read_result
from fairhaven.network.task import QueueKind, UnreadableTask, read_task
from fairhaven.network.task_api_client import TaskApiClient
from fairhaven.omop.external_cdm import open_cdm
from fairhaven.omop.vocabulary import load_vocabulary
from fairhaven.quality.concept_checks import concept_list
from fairhaven.quality.dqd_thresholds import DqdThresholds
from fairhaven.quality.row_checks import UnreadableError, limit_of
from fairhaven.query_audit import Asker, QueryAudit, rules_named
from fairhaven.release.manifest import read_manifest
from tests.support.actors import ANNA
from tests.support.hostile_bytes import (
    altered_json,
    altered_toml,
    compressed,
    database,
    mutated,
    named,
    ndjson,
    parquet,
    split,
    without_comments,
    zipped,
)
from tests.support.intake_hub import DAY, EVENTS, HEADER, Hub
from tests.support.ledgers import SIGNER, ledger_in
from tests.support.network_wire import COHORT, COLLECTION, connection_to, http, raw_server
from tests.support.older_hub import OLDER_HUB

OMOP = 'title = "CDM"\ncontroller = "partner"\nkind = "cdm"\nformat = "omop"\n'
FHIR = 'title = "FHIR"\ncontroller = "partner"\nkind = "gp"\nformat = "fhir"\n'
OPT_OUT = 'title = "List"\ncontroller = "nhs"\nkind = "opt-out"\nformat = "opt-out"\n'
TEXT = EVENTS.format(settings="", more="")

Read = Callable[[bytes], object]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A reader of foreign files.

    Args:
        inputs: hostile files, made with the help of a folder that holds ``outside/secret``.
        opened: in an empty folder, a function that reads one file.
        connects: it may speak with this machine.
    """

    inputs: Callable[[Path], st.SearchStrategy[bytes]]
    opened: Callable[[Path], Read]
    connects: bool = False


# Deliveries.

PERSON = "person_id,gender_concept_id,year_of_birth,birth_datetime\n7,8507,1980,1980-02-03\n8,8532,,\n"
DEATH = "person_id\tdeath_date\n7\t2020-01-01\n"
PERSONS = {"person_id": [7, 8], "gender_concept_id": [8507, 8532], "year_of_birth": [1980, 1990]}
ROWS = HEADER.encode() + b'1,p,2020-01-01,3,c\n2,q,01/02/2020,,"a\nb"\n'
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "1980-02-03", "gender": "female"}
CONDITION = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/p1"},
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "73211009"}]},
    "onsetDateTime": "2020-01-01",
}
BUNDLE = {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:1", "resource": PATIENT}, {"resource": CONDITION}]}
TRANSACTION = {
    "resourceType": "Bundle",
    "type": "transaction",
    "entry": [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {**PATIENT, "name": [{"family": "A", "given": ["B"]}], "contained": [CONDITION]},
            "request": {"method": "POST", "url": "Patient"},
        },
        {"fullUrl": "urn:uuid:2", "resource": {**CONDITION, "subject": {"reference": "urn:uuid:1"}}},
        {"resource": BUNDLE},
    ],
}


def _delivered(declaration: str, name: str) -> Callable[[Path], Read]:
    def opened(place: Path) -> Read:
        hub = Hub(place)
        source = hub.source(declaration)
        return lambda content: hub.receive(source, content, name)

    return opened


def _delimited(_: Path) -> st.SearchStrategy[bytes]:
    whole = mutated([ROWS, ROWS.replace(b"\n", b"\r\n"), gzip.compress(ROWS), b""])
    behind = mutated([ROWS, ROWS.partition(b"\n")[2]]).map(lambda content: HEADER.encode() + content)
    return st.one_of(behind, compressed(whole, "events.csv"))


def _parquet(_: Path) -> st.SearchStrategy[bytes]:
    events = parquet(
        {
            "event_id": ["1", "2"],
            "patient_id": ["p", "q"],
            "event_date": ["2020-01-01", None],
            "value": [1.0, None],
            "code": ["a", "b"],
        }
    )
    plain = [events, parquet(PERSONS), parquet({"event_id": ["1"] * 3000, "patient_id": ["p"] * 3000})]
    return mutated([*plain, parquet({"a": [[1, 2]]}), parquet({"event_id": [None]}, compression="zstd")])


def _fhir(_: Path) -> st.SearchStrategy[bytes]:
    lines = [ndjson(PATIENT, CONDITION, BUNDLE), ndjson([PATIENT]), json.dumps(BUNDLE, indent=1).encode()]
    return compressed(mutated([*lines, gzip.compress(lines[0])]), "a.ndjson")


def _linked(folder: Path) -> st.SearchStrategy[bytes]:
    """Resources that name an erased patient or another in every which way."""
    number = {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990000018"}
    others = [
        {
            **PATIENT,
            "id": "p2",
            "link": [{"other": {"reference": "Patient/p1"}, "type": "replaces"}],
            "identifier": [number],
        },
        {**CONDITION, "id": "c2", "subject": {"reference": "Patient/p2"}, "encounter": {"reference": "Encounter/e1"}},
        {
            "resourceType": "Encounter",
            "id": "e1",
            "status": "finished",
            "class": {"code": "AMB"},
            "subject": {"identifier": number},
        },
        {
            "resourceType": "List",
            "id": "l1",
            "entry": [{"item": {"reference": "Condition/c1"}}, {"item": {"reference": "#x"}}],
        },
    ]
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": each} for each in (PATIENT, *others)]}
    return st.one_of(
        altered_json([bundle, [PATIENT, CONDITION, *others]]), _bundles(folder), mutated([ndjson(PATIENT, *others)])
    )


def _bundles(_: Path) -> st.SearchStrategy[bytes]:
    whole = altered_json([BUNDLE, TRANSACTION, [PATIENT, CONDITION]])
    pretty = mutated([json.dumps(TRANSACTION, indent=2).encode()])
    return compressed(st.one_of(whole, whole.map(lambda line: ndjson(PATIENT) + line + b"\n"), pretty), "bundle.json")


_ZONES = ("UTC", "Europe/London", "+05:30", "+99:99", "Europe/Nowhere", "../../outside/secret", "")
_MOMENTS = TEXT.replace('"delimited"', '"parquet"').replace(
    'required = true, earliest = "1900-01-01"', "required = true"
)


def _zoned(_: Path) -> st.SearchStrategy[bytes]:
    """Moments on the clocks of zones, some of which there are not, or beyond what a clock can say."""

    def written(zone: str, unit: str, moments: Sequence[int]) -> bytes:
        columns = {name: ["1"] * len(moments) for name in ("event_id", "patient_id", "code")}
        return parquet(
            {
                **columns,
                "value": [1.0] * len(moments),
                "event_date": pa.array(moments, pa.timestamp(unit, tz=zone or None)),
            }
        )

    moments = st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=3)
    made = st.builds(written, st.sampled_from(_ZONES), st.sampled_from(["ms", "us", "ns"]), moments)
    return st.one_of(made, made.flatmap(lambda content: mutated([content])))


def _opt_outs(_: Path) -> st.SearchStrategy[bytes]:
    lists = [b"9990000018\n9990000026,\n", b"\xef\xbb\xbf9990000018\r\n", b"", b"\n" * 50 + b"999 000 0018,,\n"]
    return compressed(mutated([*lists, gzip.compress(b"9990000018\n")]), "list.csv")


# CDMs and vocabularies: a file, or one of the files of a folder.

CONCEPT = (
    "concept_id\tconcept_name\tdomain_id\tvocabulary_id\tconcept_class_id\tstandard_concept\tconcept_code\t"
    "valid_start_date\tvalid_end_date\tinvalid_reason\n1\ta\tb\tc\td\tS\te\t19700101\t20991231\t\n"
)
RELATED = "concept_id_1\tconcept_id_2\trelationship_id\tvalid_start_date\tvalid_end_date\tinvalid_reason\n1\t1\tMaps to\t19700101\t20991231\t\n"
VERSION = b"vocabulary_id\tvocabulary_version\nNone\t../../../outside/x\n"
_OF_CDM = (
    "person.csv",
    "PERSON.TXT",
    "death.tsv",
    "death.csv.gz",
    "person/1.parquet",
    "condition_occurrence.parquet",
    "notes.doc",
    "person/_delta_log/00000000000000000000.json",
    "person/_delta_log/00000000000000000010.checkpoint.parquet",
    "person/metadata/v1.metadata.json",
    "person/yr=2020/part-0.parquet",
    "person/yr=../part-0.csv",
)
_OF_VOCABULARY = (
    "CONCEPT.csv",
    "CONCEPT.csv.gz",
    "concept.parquet",
    "CONCEPT_RELATIONSHIP.csv",
    "VOCABULARY.csv",
    "a/CONCEPT.csv",
)


def _cdm(folder: Path) -> st.SearchStrategy[bytes]:
    secret = folder / "outside" / "secret"
    made = "CREATE TABLE person AS SELECT 7 AS person_id, 8507 AS gender_concept_id, 1980 AS year_of_birth"
    views = f"CREATE VIEW death AS SELECT 7 AS person_id, content AS cause FROM read_text('{secret}')"
    files = {"person.csv": PERSON.encode(), "death.csv": DEATH.encode()}
    packed = [zipped(files), zipped({"person.parquet": parquet(PERSONS)})]
    stored = [database(folder, made), database(folder, made, views)]
    names = st.sampled_from(["person.csv", "PERSON.TXT", "person/1.parquet", "../person.csv", "death.tsv"])
    within = st.dictionaries(names, _cdm_member(), max_size=3).map(zipped)
    return st.one_of(mutated(packed), within, mutated(stored))


def _cdm_member() -> st.SearchStrategy[bytes]:
    return mutated([PERSON.encode(), DEATH.encode(), parquet(PERSONS), gzip.compress(PERSON.encode())])


def _vocabulary(folder: Path) -> st.SearchStrategy[bytes]:
    columns, values = (line.split("\t") for line in CONCEPT.splitlines()[:2])
    row = ", ".join(f"'{value}' AS {name}" for name, value in zip(columns, values, strict=True))
    member = mutated([CONCEPT.encode(), gzip.compress(CONCEPT.encode())])
    together = member.map(lambda content: zipped({"CONCEPT.csv": content, "VOCABULARY.csv": VERSION}))
    stored = database(folder, f"CREATE TABLE concept AS SELECT {row}")
    return st.one_of(together, mutated([zipped({"CONCEPT.csv": CONCEPT.encode()}), stored]))


def _vocabulary_member() -> st.SearchStrategy[bytes]:
    columns, values = (line.split("\t") for line in CONCEPT.splitlines()[:2])
    stored = parquet({name: [value] for name, value in zip(columns, values, strict=True)})
    return mutated([CONCEPT.encode(), RELATED.encode(), VERSION, gzip.compress(CONCEPT.encode()), stored])


def _in_folder(
    names: Sequence[str], others: Mapping[str, str], read: Callable[[Path, Path], object]
) -> Callable[[Path], Read]:
    """Reads folders of which one file is hostile: *read* is given the folder and a place beside it."""

    def opened(place: Path) -> Read:
        folder = place / "given"

        def read_one(content: bytes) -> None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for other, text in others.items():
                (folder / other).write_text(text)
            name, hostile = split(names, content)
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(hostile)
            read(folder, place)

        return read_one

    return opened


def _delivered_folder(declaration: str, names: Sequence[str]) -> Callable[[Path], Read]:
    def opened(place: Path) -> Read:
        hub = Hub(place)
        source = hub.source(declaration)
        return _in_folder(names, {}, lambda folder, _: hub.deliver(source, [folder]))(place)

    return opened


_OF_EXTRACTS = (
    "events.csv",
    "a/events.csv",
    "a/b/EVENTS-2.CSV",
    "events.csv.gz",
    "events.zip",
    "other.csv",
    ".events.csv",
)
_OF_RESOURCES = ("Patient.ndjson", "a/Condition.ndjson.gz", "bundle.json", "deleted/all.ndjson", "b.zip")


def _erased(declaration: str, name: str, patients: Sequence[str]) -> Callable[[Path], Read]:
    """Reads a file in which somebody is who was erased, erases somebody who is in it, and lands the rest of it again."""

    def opened(place: Path) -> Read:
        hub = Hub(place)
        source = hub.source(declaration)
        keys = LandingKeys.of(hub.keyring.pseudonyms.key_for)
        refs = [pseudonym(keys.pseudonym, source.name, patient) for patient in patients]
        Tombstones(hub.store).add(source.name, {tombstone(keys, refs[0])})
        nobody = pa.table({"source": pa.array([], pa.string()), "patient_ref": pa.array([], pa.string())})

        def read_one(content: bytes) -> None:
            hub.receive(source, content, name)
            hub.intake.named_by_numbers({"9990000018"}, others=nobody)
            hub.intake.also_named(source.name, refs, {"9990000018"})
            hub.intake.lines_of({source.name: refs}, sources=hub.sources)
            hub.erase({source.name: refs[1:]})
            hub.intake.land_again(replace(source, digest="again"), vault=hub.vault, progress=Silent())

        return read_one

    return opened


def _open_cdm(path: Path) -> None:
    with open_cdm(path) as opened:
        for table in opened.tables.values():
            opened.engine.fetch(table)


# What a hub is told in text.

_REGION = files("fairhaven") / "region" / "hub"
_NEW = files("fairhaven.hub") / "new"
USAGI = (
    "source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,"
    "target_vocabulary_id,valid_start_date,valid_end_date,invalid_reason\na,0,LOCAL,b,7,SNOMED,1970-01-01,2099-12-31,\n"
)
REVIEWED = (
    "sourceCode,sourceName,sourceFrequency,conceptId,mappingType,mappingStatus\na,b,1,7,MAPS_TO,APPROVED\n"
    "c,d,2,8,MAPS_TO_VALUE,APPROVED\n"
)
_AT = {"source_table": "events.csv", "source_field": "code"}
CARROT_1 = {
    "metadata": {"date_created": "2026-01-01", "dataset": "a"},
    "cdm": {
        "condition_occurrence": {
            "a 1": {
                "condition_concept_id": {**_AT, "term_mapping": {"x": 7, "y": 8}},
                "condition_start_datetime": {"source_table": "events.csv", "source_field": "event_date"},
                "condition_source_value": dict(_AT),
                "person_id": {"source_table": "events.csv", "source_field": "patient_id"},
            }
        },
        "person": {
            "b 2": {
                "gender_concept_id": {"source_table": "registrations.csv", "source_field": "sex", "term_mapping": 8507}
            }
        },
    },
}
CARROT_2 = {
    "cdm": {
        "observation": {
            "events.csv": {
                "person_id_mapping": {"source_field": "patient_id", "dest_field": "person_id"},
                "date_mapping": {"source_field": "event_date", "dest_field": ["observation_datetime"]},
                "concept_mappings": {
                    "code": {
                        "x": {"observation_concept_id": [7, 9]},
                        "*": {"observation_concept_id": [8]},
                        "original_value": ["value_as_number"],
                    }
                },
            }
        }
    }
}


_PAIRS = b"source,id,nhs_number,given_name,family_name,birth_date,postcode,truth\n" + b"".join(
    b"a,%d,999000001%d,Ada,Marsh,1950-01-0%d,FH1 1AA,%d\n" % (n, n, n, n // 2) for n in range(1, 5)
)


def _pairs(path: Path, _: Path) -> None:
    trial([path], truth="truth")


def _texts(place: Traversable) -> list[bytes]:
    """A TOML file, or those of a folder."""
    found = [place] if place.is_file() else sorted(place.iterdir(), key=lambda each: each.name)
    return [without_comments(each.read_text()) for each in found if each.name.endswith(".toml")]


def _toml(*seeds: bytes) -> st.SearchStrategy[bytes]:
    return st.one_of(altered_toml(seeds), altered_toml(seeds), mutated(seeds))


_POLICY = without_comments(
    files("fairhaven.disclosure").joinpath("policies", "ons.toml").read_text().replace("[ons", "[ours")
)
_RULES = b"""[ours]
title = "Ours"
budget = 1000
coalitions = ["organisation", "federated"]
mode = "differential-privacy"
epsilon = 0.1
epsilon_total = 10.0
since = 2026-11-22
source = "ours"
"""


def _in_hub(name: str) -> Callable[[Path], Read]:
    """Reads a hub of which one file is hostile."""

    def opened(place: Path) -> Read:
        hub = place / "hub"
        with as_file(_REGION) as region:
            for kind in ("controllers", "mappings"):
                shutil.copytree(region / kind, hub / kind)
            for kind in ("projects", "sources", "vocabulary"):
                (hub / kind).mkdir()
            source = (region / "sources/gp_riverside.toml").read_text()
            (hub / "sources/ours.toml").write_text(source.replace('["gp.toml"]', '["gp.toml", "rules.json"]'))
            settings = (region / "hub.toml").read_text()
        (hub / "mappings/rules.json").write_text(json.dumps(CARROT_1))
        (hub / "hub.toml").write_text('disclosure = "disclosure.toml"\naudit = "audit.toml"\n' + settings)
        (hub / "disclosure.toml").write_bytes(_POLICY)
        (hub / "audit.toml").write_bytes(_RULES)

        def read_one(content: bytes) -> None:
            (hub / name).write_bytes(content)
            text = read_text(hub)
            if name.startswith("controllers"):
                terms = read_proposed_terms(hub)
                for controller in terms.controllers.values():
                    assert [*lines_of(controller)]
                assert terms_faults(terms, text)  # of the other sources that the region's controllers name
                check_faults(terms.faults)
            local_maps(text.code_maps, on=dt.date(2026, 1, 1))

        return read_one

    return opened


_OF_THRESHOLDS = {
    "Check_Descriptions.csv": "checkLevel,checkName,checkDescription,evaluationFilter,severity\n"
    "FIELD,plausibleValueLow,low @cdmFieldName,plausibleValueLow!='',fatal\n"
    "CONCEPT,plausibleGender,@conceptId,plausibleGender!='',convention\n",
    "Table_Level.csv": "cdmTableName,isRequired\nPERSON,Yes\n",
    "Field_Level.csv": "cdmTableName,cdmFieldName,plausibleValueLow,plausibleValueLowThreshold\n"
    "PERSON,year_of_birth,1850,5\nDEATH,death_date,'19500101',NA\nVISIT_OCCURRENCE,visit_start_date,\"DATEADD(dd,1,GETDATE())\",\n",
    "Concept_Level.csv": "cdmTableName,cdmFieldName,conceptId,plausibleGender,plausibleGenderThreshold\n"
    'CONDITION_OCCURRENCE,condition_concept_id,"7,8",Male,5\n',
}


def _read_thresholds(folder: Path, _: Path) -> None:
    for check in DqdThresholds.read(folder).checks:
        concept_list(check.concept)
        with suppress(UnreadableError):
            limit_of(check.settings.get(check.kind, ""), DAY)


# Questions and answers of others.

DEFINITION = {
    "ConceptSets": [{"id": 0, "name": "a", "expression": {"items": [{"concept": {"CONCEPT_ID": 7}}]}}],
    "PrimaryCriteria": {
        "CriteriaList": [{"ConditionOccurrence": {"CodesetId": 0, "Age": {"Value": 18, "Op": "gte"}}}],
        "ObservationWindow": {"PriorDays": 0, "PostDays": 0},
    },
    "InclusionRules": [{"name": "b", "expression": {"Type": "AT_LEAST", "Count": 1, "CriteriaList": [], "Groups": []}}],
}
ASKED = {
    "uuid": "u",
    "owner": "o",
    "collection": COLLECTION,
    "protocol_version": "v2",
    "cohort": {
        "groups_oper": "OR",
        "groups": [
            {
                "rules_oper": "AND",
                "rules": [
                    {
                        "varname": "OMOP",
                        "varcat": "Condition",
                        "type": "TEXT",
                        "oper": "=",
                        "value": "7",
                        "time": "1|:TIME:M",
                    },
                    {"varname": "AGE", "varcat": "Person", "type": "NUM", "oper": "=", "value": "18.0|70.5"},
                    {
                        "varname": "OMOP=7",
                        "varcat": "Measurement",
                        "type": "NUM",
                        "oper": "!=",
                        "value": "1|2",
                        "secondary_modifier": [],
                    },
                ],
            }
        ],
    },
}
DISTRIBUTION = {"uuid": "u", "owner": "o", "collection": COLLECTION, "analysis": "DISTRIBUTION", "code": "GENERIC"}
RESULT = {
    "uuid": "u",
    "status": "ok",
    "collection_id": COLLECTION,
    "message": "",
    "protocolVersion": "v2",
    "queryResult": {
        "count": 1,
        "datasetCount": 1,
        "files": [
            {
                "file_name": "demographics.distribution",
                "file_data": "YQliCjEJMgo=",
                "file_description": "",
                "file_sensitive": True,
            }
        ],
    },
}


def _definitions(_: Path) -> st.SearchStrategy[bytes]:
    return st.one_of(
        altered_json([DEFINITION, {"cohort": COHORT, "owner": "a"}, ASKED]),
        _toml(*_texts(_REGION / "cohorts")),
        mutated([json.dumps(DEFINITION).encode(), json.dumps(ASKED).encode()]),
    )


def _tasks(_: Path) -> st.SearchStrategy[bytes]:
    return st.one_of(altered_json([ASKED, DISTRIBUTION]), mutated([json.dumps(ASKED).encode()]))


def _read_task(content: bytes) -> None:
    task = read_task(content, collection=COLLECTION)
    if not isinstance(task, UnreadableTask) and task.queue is QueueKind.AVAILABILITY:
        read_rquest(task.query, today=DAY)


def _results(_: Path) -> st.SearchStrategy[bytes]:
    return st.one_of(altered_json([RESULT]), mutated([json.dumps(RESULT).encode()]))


def _read_result(content: bytes) -> None:
    for file in read_result(content, uuid="u", collection=COLLECTION).files:
        file.rows()


def _replies(_: Path) -> st.SearchStrategy[bytes]:
    body = json.dumps(ASKED).encode()
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"
    moved = http(302, b"", "Location: http://127.0.0.1:1/")
    return mutated([http(200, body), http(204), http(401), http(429, b"", "Retry-After: 3"), chunked, moved])


def _answered(place: Path) -> Read:
    now: list[bytes] = [http(204)]
    # The server and the line are there for as long as the process is.
    server = raw_server(partial(_say_now, now))
    connection = replace(connection_to(server.__enter__()), deadline=1.0)
    line = TaskApiClient(connection)
    _kept.append((server, line))

    def read_one(content: bytes) -> None:
        now[0] = content
        line.next_task(QueueKind.BOTH)
        line.post("u", "{}")

    return read_one


_kept: list[object] = []


def _say_now(now: Sequence[bytes], _: bytes, client: socket.socket) -> None:
    client.sendall(now[0])


# What others add to a hub's own record, or give back of it.


def _new_ledger(folder: Path) -> Ledger:
    """Three entries, which every place has (`_with_ledger`)."""
    ledger = ledger_in(folder / "inside" / "store")
    for version in ("1", "2"):
        ledger.append(EventKind.VOCABULARY, {"version": version}, by=ANNA, files={f"vocabulary/{version}": "a" * 64})
    return ledger


def _with_ledger(read: Callable[[Ledger, bytes], object]) -> Callable[[Path], Read]:
    def opened(place: Path) -> Read:
        return partial(read, ledger_in(shutil.copytree(place.with_name("store"), place / "store")))

    return opened


def _ledgers(folder: Path) -> st.SearchStrategy[bytes]:
    lines = (_new_ledger(folder).store / PUBLISHED).read_bytes().splitlines(keepends=True)
    others = [altered_json([json.loads(line)]).map(lambda text: text + b"\n") for line in lines]
    exchanged = st.tuples(*(st.one_of(st.just(line), other) for line, other in zip(lines, others, strict=True)))
    return st.one_of(mutated([b"".join(lines)]), exchanged.map(b"".join))


def _read_ledger(ledger: Ledger, content: bytes) -> None:
    """The same bytes as an account reads them that only reads the hub, and as an upgrade takes them over."""
    (ledger.store / PUBLISHED).write_bytes(content)
    (ledger.store / LEDGER).write_bytes(content)
    published = Ledger(ledger.store, public=lambda: SIGNER.public)
    published.verify()
    published.head_faults()
    with suppress(Invalid):
        read_earlier(ledger.store, SignedHead(lambda: SIGNER.public), may_lack_head=True)
    published.entries()


def _notes(folder: Path) -> st.SearchStrategy[bytes]:
    journal = _new_ledger(folder).journal("erasing.json")
    journal.begin({"person": 7, "patients": {"gp": ["x"]}, "by": {"kind": "os-user", "name": "a"}, "after": 3}, by=ANNA)
    journal.note(files={"landing/000001/events.parquet": "a" * 64, "erased/gp.json": None})
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.end()
    return st.one_of(mutated([b"".join(lines)]), altered_json([json.loads(lines[0])]).map(lambda text: text + b"\n"))


def _read_notes(ledger: Ledger, content: bytes) -> None:
    journal = ledger.journal("erasing.json")
    journal.path.write_bytes(content)
    if journal.before() is None and journal.has_notes():
        journal.files()
        journal.settle({})


def _manifests(_: Path) -> st.SearchStrategy[bytes]:
    with tarfile.open(OLDER_HUB) as packed:
        found = [
            packed.extractfile(each)
            for each in packed
            if fnmatchcase(each.name, "hub/store/archive/releases/????.json")
        ]
        made = [file.read() for file in found if file]
    return st.one_of(altered_json([json.loads(each) for each in made]), mutated(made))


def _checkpoints(folder: Path) -> st.SearchStrategy[bytes]:
    return mutated([_new_ledger(folder).checkpoint.read_bytes()])


def _read_checkpoint(ledger: Ledger, content: bytes) -> None:
    kept = ledger.store / "kept"
    kept.write_bytes(content)
    check_faults(ledger.head_faults(kept))


def _audit(folder: Path) -> QueryAudit:
    return QueryAudit(folder / "audit.sqlite", policy_named("hdr-uk"), rules_named("standard"), is_shared=True)


def _asked(folder: Path) -> Path:
    """A record with one question in this account's log; where the log is."""
    folder.mkdir(parents=True)
    with _audit(folder) as audit:
        audit.add_release("r1", np.arange(1_000, dtype=np.int64))
        audit.ask(BitMap(range(100, 214)), asker=Asker(project="ours"), release="r1")
    (log,) = (folder / "audit").glob("*.log")
    return log


def _question_logs(folder: Path) -> st.SearchStrategy[bytes]:
    last = _asked(folder / "inside/seed").read_bytes().splitlines()[-1]
    return st.one_of(altered_json([json.loads(last)]).map(lambda line: line + b"\n"), mutated([last + b"\n"]))


def _read_question_log(place: Path) -> Read:
    first = place / "first"
    _asked(first)

    def read_one(content: bytes) -> None:
        folder = place / "now"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(first, folder)
        (log,) = (folder / "audit").glob("*.log")
        with log.open("ab") as file:
            file.write(content)
        with _audit(folder) as audit:
            audit.ask(BitMap(range(300, 424)), asker=Asker(project="ours"), release="r1")

    return read_one


def _in_file(name: str, read: Callable[[Path, Path], object]) -> Callable[[Path], Read]:
    """Reads a file of a name: *read* is given the file and its folder."""

    def opened(place: Path) -> Read:
        def read_one(content: bytes) -> None:
            (place / name).write_bytes(content)
            read(place / name, place)

        return read_one

    return opened


def _read_code_map(path: Path, _: Path) -> Any:
    return local_maps({path.name: read_code_map(path)}, on=dt.date(2026, 1, 1))


def _load(path: Path, place: Path) -> Any:
    return load_vocabulary(path, place / "vocabulary")


READERS: Mapping[str, Reader] = {
    "delimited": Reader(inputs=_delimited, opened=_delivered(TEXT, "events.csv")),
    "parquet": Reader(inputs=_parquet, opened=_delivered(TEXT.replace('"delimited"', '"parquet"'), "events.parquet")),
    "fhir": Reader(inputs=_fhir, opened=_delivered(FHIR, "a.ndjson")),
    "fhir bundle": Reader(inputs=_bundles, opened=_delivered(FHIR, "bundle.json")),
    "omop": Reader(inputs=_cdm, opened=_delivered(OMOP, "cdm")),
    "omop folder": Reader(inputs=lambda _: named(_OF_CDM, _cdm_member()), opened=_delivered_folder(OMOP, _OF_CDM)),
    "delimited folder": Reader(
        inputs=lambda folder: named(_OF_EXTRACTS, _delimited(folder)), opened=_delivered_folder(TEXT, _OF_EXTRACTS)
    ),
    "fhir folder": Reader(
        inputs=lambda folder: named(_OF_RESOURCES, _fhir(folder)), opened=_delivered_folder(FHIR, _OF_RESOURCES)
    ),
    "parquet moments": Reader(inputs=_zoned, opened=_delivered(_MOMENTS, "events.parquet")),
    "delimited, erased": Reader(inputs=_delimited, opened=_erased(TEXT, "events.csv", ["p", "q"])),
    "fhir, erased": Reader(inputs=_linked, opened=_erased(FHIR, "bundle.json", ["p1", "p2"])),
    "opt-out": Reader(inputs=_opt_outs, opened=_delivered(OPT_OUT, "list.csv")),
    "cdm": Reader(inputs=_cdm, opened=_in_file("file", lambda path, _: _open_cdm(path))),
    "cdm folder": Reader(
        inputs=lambda _: named(_OF_CDM, _cdm_member()),
        opened=_in_folder(_OF_CDM, {"person.csv": PERSON}, lambda folder, _: _open_cdm(folder)),
    ),
    "vocabulary": Reader(inputs=_vocabulary, opened=_in_file("file", _load)),
    "vocabulary folder": Reader(
        inputs=lambda _: named(_OF_VOCABULARY, _vocabulary_member()),
        opened=_in_folder(_OF_VOCABULARY, {"CONCEPT.csv": CONCEPT}, _load),
    ),
    "hub settings": Reader(
        inputs=lambda _: _toml(*_texts(_NEW / "hub.toml"), *_texts(_REGION / "hub.toml")), opened=_in_hub("hub.toml")
    ),
    "source": Reader(inputs=lambda _: _toml(*_texts(_REGION / "sources")), opened=_in_hub("sources/ours.toml")),
    "mapping": Reader(inputs=lambda _: _toml(*_texts(_REGION / "mappings")), opened=_in_hub("mappings/gp.toml")),
    "disclosure policy": Reader(inputs=lambda _: _toml(_POLICY), opened=_in_hub("disclosure.toml")),
    "audit rules": Reader(inputs=lambda _: _toml(_RULES), opened=_in_hub("audit.toml")),
    "carrot": Reader(
        inputs=lambda _: st.one_of(altered_json([CARROT_1, CARROT_2]), mutated([json.dumps(CARROT_2).encode()])),
        opened=_in_hub("mappings/rules.json"),
    ),
    "code map": Reader(
        inputs=lambda _: mutated([USAGI.encode(), REVIEWED.encode()]), opened=_in_file("a.csv", _read_code_map)
    ),
    "project": Reader(
        inputs=lambda _: _toml(b'name = "Ours"\norganisation = "Riverside"'), opened=_in_hub("projects/ours.toml")
    ),
    "controller": Reader(
        inputs=lambda _: _toml(*_texts(_REGION / "controllers"), *_texts(_NEW / "controller.toml")),
        opened=_in_hub("controllers/riverside.toml"),
    ),
    "pairs": Reader(
        inputs=lambda _: mutated([_PAIRS, parquet({"given_name": ["a"], "truth": ["1"]})]),
        opened=_in_file("a.csv", _pairs),
    ),
    "thresholds": Reader(
        inputs=lambda _: named([*_OF_THRESHOLDS], mutated([text.encode() for text in _OF_THRESHOLDS.values()])),
        opened=_in_folder([*_OF_THRESHOLDS], _OF_THRESHOLDS, _read_thresholds),
    ),
    "definition": Reader(
        inputs=_definitions, opened=_in_file("a.toml", lambda path, _: read_definition(path, today=DAY))
    ),
    "task": Reader(inputs=_tasks, opened=lambda _: _read_task),
    "result": Reader(inputs=_results, opened=lambda _: _read_result),
    "reply": Reader(inputs=_replies, opened=_answered, connects=True),
    "ledger": Reader(inputs=_ledgers, opened=_with_ledger(_read_ledger)),
    "notes of an act": Reader(inputs=_notes, opened=_with_ledger(_read_notes)),
    "manifest": Reader(
        inputs=_manifests, opened=_in_file("0001.json", lambda path, _: read_manifest(read_json(path), path=path))
    ),
    "checkpoint": Reader(inputs=_checkpoints, opened=_with_ledger(_read_checkpoint)),
    "question log": Reader(inputs=_question_logs, opened=_read_question_log),
}
