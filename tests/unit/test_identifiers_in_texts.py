"""Identifiers are known by their values in any text, and words that are names of people stay words."""

import csv
import datetime as dt
import io
import re
import tarfile
import time
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

import duckdb
import pyarrow as pa
import pytest

from fairhaven.identifiers.known_identifiers import KnownIdentifiers, known_identifiers
from fairhaven.identifiers.snomed_ids import is_snomed_id
from fairhaven.identifiers.texts_with_identifiers import find_texts
from fairhaven.linkage.model import IDENTITY_SCHEMA
from tests.support.shared_data import shared

KEY = b"k" * 32
PERSONS: list[dict[str, object]] = [
    {
        "patient_ref": "a",
        "nhs_number": "999 000 0018",
        "given_name": "Mary Jane",
        "family_name": "O'Brien-Okafor",
        "birth_date": dt.date(1953, 7, 14),
        "postcode": "FH10 0AN",
        "address": "40 Riverside, Thornfold",
    },
    {
        "patient_ref": "b",
        "nhs_number": "9990980845",
        "given_name": "May",
        "family_name": "Green",
        "postcode": "FH1 2AB",
        "address": "Flat 3, 12 High Street, Thornfold",
    },
    {"patient_ref": "c", "given_name": "José", "family_name": "Price"},
    {"patient_ref": "d", "given_name": "John", "family_name": "Smith"},
    {"patient_ref": "e", "given_name": "Anne-Marie", "family_name": "Smythe Jones"},
    {"patient_ref": "g", "given_name": "Jürgen", "family_name": "Müller"},
    {"patient_ref": "f", "given_name": "Søren", "family_name": "McDonald", "address": "7 Coniston Avenue"},
]
NUMBER_SPELLINGS = [
    "9990000018",
    "999 000 0018",
    "999-000-0018",
    "999.000.0018",
    "999/000/0018",
    "999\u00a0000\u00a00018",
    "999  000   0018",
    "999\u2009000\u20090018",
    "\uff19\uff19\uff19\uff10\uff10\uff10\uff10\uff10\uff11\uff18",
    "\u0669\u0669\u0669 \u0660\u0660\u0660 \u0660\u0660\u0661\u0668",
    "9 9 9 0 0 0 0 0 1 8",
    "999\u200b000\u200b0018",
    "(999) 000_0018",
    "999\u2013000\u20130018",
    "999,000,0018",
    "NHS9990000018",
    "nhs_9990000018_x",
    "999\n000\r\n0018",
    "9.990000018E9",
    "999%20000%200018",
    "999&nbsp;000&#160;0018",
    "999<br/>000<br>0018",
    "999\\u00a0000\\n0018",
    "999\u2212000\uff0d0018",
    "\u202e9990000018\u202c",
    "\U0001d7d7\U0001d7d7\U0001d7d7 000 0018",
    "&#57;990000018",
    "&#57;&#57;&#57;&#48;&#48;&#48;&#48;&#48;&#49;&#56;",
    "&#x39;99 000 001&#x38;",
    "&amp;#57;99 000 0018",
    "%39%39%39 000 0018",
    "999%30000018",
    "\\u0039\\u0039\\u0039 000 0018",
    "999\\x30000018",
    "&amp;amp;#57;99 000 0018",
    "caf%E9 %39%39%39 000 0018",
    "%2539%2539%2539 000 0018",
    "&#65305;&#65305;&#xFF19; 000 0018",
    '999<span class="n">000</span>0018',
]
NAME_SPELLINGS = [
    *(
        "JohnSmith",
        "johnsmith@x.org",
        "JSMITH",
        "jsmith",
        "smithj",
        "J Smith",
        "Smith, J.",
        "j.smith@nhs.net",
        "by JSMITH, today",
    ),
    *(
        "SmithJohn",
        "john_smith",
        "user:johnsmith1980",
        "SMITHJOHN",
        "john.smith@x.org",
        "family name Smith, given name John",
    ),
    *(
        "O Brien",
        "Mary O Brien",
        "Mary OBrien",
        "MaryJane OBrien",
        "Mary O\u00b4Brien",
        "Mary O\u2032Brien",
        "O&#39;Brien",
        "o%27brien",
    ),
    *("Mary&nbsp;Okafor", "Mary%20Okafor", "Mary\\u00a0Okafor", "Mary\\nOkafor", "Mary<br/>Okafor", "Mary\nOkafor"),
    *(
        "Oka\u200efor, Ma\u00adry",
        "M\u0430ry Ok\u0430for",
        "\U0001d40c\U0001d41a\U0001d42b\U0001d432 Okafor",
        "Mary (Jane) Okafor",
    ),
    *("Anne Marie Smythe", "AnneMarie SmytheJones", "Anne-Marie SMYTHE", "Mrs SmytheJones", "Marie Smythe-Jones"),
    *("Soren Mc Donald", "S\u00f8ren McDonald", "SOREN MCDONALD", "Jos\u0065\u0301 Price"),
    *("Fh10 0aN", "fh10_0an", "FH10\n0AN", "postcode=FH100AN;", "FH10\u20110AN", "\uff26\uff281\uff10 0AN"),
    *(
        "40, Riverside",
        "40Riverside",
        "40_Riverside",
        "12A High St.",
        "12 A High Street",
        "FLAT 3 12 HIGH STR",
        "7 Coniston Ave",
        "12HighStreet",
        "12 HighSt",
        "12highstr, Thornfold",
        "7ConistonAvenue",
    ),
    *(
        "Ms Brien",
        "Mary Brien",
        "BRIEN, Mary",
        "Mary O Brien",
        "Jos&eacute; Price",
        "Jos%C3%A9 Price",
        "Jos\\u00e9 Price",
    ),
    *(
        "M&#97;ry Okafor",
        "%4Dary Okafor",
        "M\u00fcller, J\u00fcrgen",
        "Juergen Mueller",
        "Miss M Okafor",
        "to Mrs. M. J. O'Brien",
        "Mr J. Smith",
        "FH100 AN",
        "Jurgen Muller",
        "J. A. Smith",
    ),
    *(
        "j_smith@nhs.net",
        "Mrs A B C Okafor",
        "Mrs. C. J. A. Okafor",
        '<td class="n">Mary</td><td class="n">Okafor</td>',
        '<td class="n">Okafor</td>',
        "<given value='Mary'/><family value='Okafor'/>",
        "name=Jos%E9%20Price",
        '{"family":"Okafor","use":"official","given":["Mary"]}',
        '{\\"family\\":\\"Okafor\\", \\"use\\": \\"old\\", \\"given\\":[\\"Mary\\"]}',
    ),
]
"""What a stranger would try: names, postcodes and addresses, and words by which somebody logs in."""


@pytest.fixture(scope="module")
def connection() -> Iterable[duckdb.DuckDBPyConnection]:
    """In memory, with one thread: the machine may be busy."""
    with duckdb.connect(config={"threads": 1}) as opened:
        yield opened


def _known(connection: duckdb.DuckDBPyConnection, persons: Sequence[Mapping[str, object]]) -> KnownIdentifiers:
    records = [{"source": "gp", "row_extract": 1, **person} for person in persons]
    connection.register("identity", pa.Table.from_pylist(records, schema=IDENTITY_SCHEMA))
    return known_identifiers(connection, "identity", key=KEY)


def _found(
    connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers, texts: Iterable[str | None], *, source: str = "gp"
) -> set[str]:
    connection.register("texts", pa.table({"text": pa.array(list(texts), pa.string())}))
    find_texts(connection, "texts", known.believed_in(source), key=KEY)
    return {text for (text,) in connection.execute("SELECT DISTINCT text FROM texts_with_identifiers").fetchall()}


@pytest.fixture(scope="module")
def known(connection: duckdb.DuckDBPyConnection) -> KnownIdentifiers:
    """What the hub knows of three persons."""
    return _known(connection, PERSONS)


def test_a_known_nhs_number_is_found_in_every_spelling_alone_and_within_a_sentence(
    connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers
) -> None:
    texts = [*NUMBER_SPELLINGS, *(f"tel. {spelling}; lives alone" for spelling in NUMBER_SPELLINGS), "0099900000181"]
    assert sorted(set(texts) - _found(connection, known, texts)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Mary Okafor was seen",
        "seen: OKAFOR, MARY",
        "mary ann okafor",
        "Mrs Okafor",
        "Okafor",
        "OBrien",
        "Mary O\u2019Brien",
        "Jose Price",
        "Jos\u00e9 PRICE",
        "\uff2d\uff41\uff52\uff59 \uff2f\uff4b\uff41\uff46\uff4f\uff52",
        "May Green",
        "Green, May",
        "at FH10 0AN",
        "fh100an",
        "FH10-0AN",
        "lives at 40 Riverside",
        "40 riverside thornfold",
        "12 High Street",
        "12a, high st",
        "flat 3, 12 HIGH ST.",
    ],
)
def test_names_postcodes_and_addresses_of_a_record_are_found(
    connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers, text: str
) -> None:
    assert _found(connection, known, [text]) == {text}


def test_names_postcodes_and_addresses_are_found_however_they_are_spelled(
    connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers
) -> None:
    assert sorted(set(NAME_SPELLINGS) - _found(connection, known, NAME_SPELLINGS)) == []


def test_a_text_ten_times_as_long_is_looked_through_in_about_ten_times_as_long(
    connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers
) -> None:
    def seconds(times: int) -> float:
        began = time.process_time()
        _found(connection, known, ["1234567890 12 Low Lane " * times, "1234567" * times])
        return time.process_time() - began

    short = min(seconds(2_000) for _ in range(2))
    # A search whose steps grow as the square takes a hundred times as long.
    assert seconds(20_000) < 30 * short


def test_common_words_codes_and_what_belongs_to_nobody_stay(
    connection: duckdb.DuckDBPyConnection, known: KnownIdentifiers
) -> None:
    texts = [
        *(
            "Price",
            "May",
            "Green",
            "green sputum",
            "Price's precipitation test",
            "Okafor's disease",
            "Dr Green's drops",
        ),
        *("827241000000103", "4804211000001109", "H33zz", "XaBVJ", "1290031003", "999000001", "40 mg", "12 high doses"),
        *(
            "smithy",
            "Type O",
            "by HELLP",
            "j.doe@nhs.net",
            "Byu1.",
            "<5 %20",
            "5 %ab",
            "<a b c>",
            '{"use":"old"}',
            "O/E - blood",
            "award",
        ),
        *("2026-11-30 12:30:00", "120/80", "FH1 9ZZ", "12 Low Street", "Green price", None, "", "ab"),
    ]
    assert _found(connection, known, texts) == set()


def test_a_hub_that_knows_nobody_finds_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    assert _found(connection, KnownIdentifiers.none(), ["Mary Okafor", "9990000018"]) == set()


MADE_UP: list[dict[str, object]] = [
    *(
        dict[str, object](given_name=given, family_name=family)
        for given, family in [
            *(("Diabetes", "Mellitus"), ("Chest", "Pain"), ("Blood", "Pressure"), ("Heart", "Block"), ("Type", "Two")),
            *(
                ("Hyper", "Tension"),
                ("Para", "Cetamol"),
                ("Annie", "Naemia"),
                ("Metformin", "Tablets"),
                ("Down", "Syndrome"),
            ),
            *(
                ("Essential", None),
                (None, "Asthma"),
                ("Parkinson", "Disease"),
                ("Salbutamol", "Inhaler"),
                ("Of", "Bone"),
            ),
            *(("Chronic Kidney", "Disease Stage"), ("Serum", "Cholesterol"), ("Smoker", "Never"), ("Code", "List")),
            *(("Gastro-Oesophageal", "Reflux"), ("Streptococcal", "Sepsis"), ("White", "Blood"), ("Aaron", "Ngina")),
        ]
    ),
    *(
        dict[str, object](address=line)
        for line in ("2 type", "2 Type, Diabetes", "40 mg tablets", "1 st degree", "3 way valve")
    ),
    {"nhs_number": "1290031003"},
]
"""Records of nobody, by which whoever delivers them could have codes of all others withheld."""
ORDINARY_TEXTS = [
    *("Type 2 diabetes mellitus", "Chest pain", "Blood pressure", "heart block", "Hypertension", "Paracetamol"),
    *("Anaemia", "Metformin 500 mg tablets", "Down's syndrome", "Essential hypertension", "Asthma", "Fracture of bone"),
    *("Parkinson's disease", "Salbutamol 100 microgram inhaler", "Chronic kidney disease stage 3", "Serum cholesterol"),
    *("Never smoker", "code list", "Gastro-oesophageal reflux", "streptococcal sepsis", "white blood cell", "Angina"),
    *("40 mg tablets", "1 st degree burn", "3 way valve", "1290031003", "2 type"),
]


def test_made_up_records_of_one_source_withhold_no_ordinary_words_of_another(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    records = [{"patient_ref": str(place), **record} for place, record in enumerate(MADE_UP)]
    known = _known(connection, records)
    assert _found(connection, known, ORDINARY_TEXTS, source="hes") == set()
    # Whoever delivered them has them withheld in what they deliver: the attack succeeds where every record is believed.
    assert _found(connection, known, ORDINARY_TEXTS, source="gp") == set(ORDINARY_TEXTS)


def test_names_addresses_and_numbers_of_one_source_are_found_in_the_texts_of_another(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    names = [
        ("Grace", "Taylor"),
        ("May", "Green"),
        ("Mary", "Bridge"),
        ("Ruby", "Wilson"),
        ("Li", "Wu"),
        ("Zofia", "Pain"),
    ]
    lines = [
        "12 High Street",
        "4 The Green",
        "1 Church Row",
        "40 Riverside, Thornfold",
        "9 Hospital Road",
        "2 Station Close",
    ]
    records = [dict[str, object](patient_ref="n", given_name=given, family_name=family) for given, family in names]
    records += [dict[str, object](patient_ref="a", address=line) for line in lines] + [
        {"patient_ref": "x", "nhs_number": "9990000018"}
    ]
    texts = [f"seen with {given} {family}, today" for given, family in names] + [f"lives at {line}" for line in lines]
    found = _found(connection, _known(connection, records), [*texts, "no. 999 000 0018", "Mr Bridge"], source="hes")
    assert found == {*texts, "no. 999 000 0018", "Mr Bridge"}


PEOPLE = (
    "Jonas Baltrusaitis;Jonas Baltrušaitis;Rasa Juozapaitis;Ivan Vukotić;Emir Adžemić;Anastasis Georgiou;"
    "Theodosis Michael;Demetry Hanna;Konstatin Popov;Olamide Bello;Adem Yilmaz;Benedikt Maier;Per Hansen;"
    "Anca Popescu;Indiana Jones;Marko Basic;Ante Colic;Luc Morvan;Will Young;Will Turner;Will Carter;"
    "Taylor Green;Hunter Young;Carter Hall;Prince Taylor;King Taylor;Gene Taylor;Rich Hall;River Young;"
    "Ash King;Can Young;Sage Green;Miller Hall;Bishop Young;John Chronic"
)
"""Whose names are words as well, or end like medicine's."""


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (
            "name",
            PEOPLE,
        ),
        (
            "address",
            "7 South Bridge;12 North Bridge;5 High Common;2 Low Wood;4 New Buildings;1 Old School;18 East Common;31 White Post",
        ),
        ("postcode", "G3 3ZZ;FH10 0AN"),
    ],
)
def test_what_may_be_somebodys_is_found_in_the_texts_of_another_source(
    connection: duckdb.DuckDBPyConnection, key: str, told: str
) -> None:
    records, texts = list[dict[str, object]](), list[str]()
    for place, one in enumerate(told.split(";")):
        given, _, family = one.rpartition(" ")
        named = {"given_name": given, "family_name": family} if key == "name" else {key: one}
        records.append({"patient_ref": str(place), **named})
        texts.append(f"seen: {one}, today")
    texts += ["call Mr Baltrusaitis"] if key == "name" else []
    assert sorted(set(texts) - _found(connection, _known(connection, records), texts, source="hes")) == []


CODES = [
    "mmHg",
    "kPa",
    "bpm",
    "degC",
    "Refused",
    "Deceased",
    "Alive",
    "Bangladeshi",
    "Pakistani",
    "Hindu",
    "Muslim",
    "Never smoked",
    "Ozempic",
    "Mounjaro",
    "Comirnaty",
    "TSH",
    "PHQ-9",
    "GAD-7",
    "NEWS2",
    "KRAS",
    "BRCA1",
    "Omicron",
    "Discharged",
    "Transferred",
    "MS relapse",
    "G33zz",
    "H33zz",
    "N05zz",
    "C10ED",
    "G33zz Angina pectoris NOS",
]


def test_codes_that_are_one_word_or_five_characters_are_withheld_by_records_of_the_same_source_alone(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    words = [re.findall("[A-Za-z]{2,}", code) for code in CODES[:25]]
    made = [{"given_name": " ".join(word[:-1]) or "Zxqv", "family_name": word[-1]} for word in words]
    made += [{"postcode": postcode} for postcode in ("G3 3ZZ", "H3 3ZZ", "N0 5ZZ", "C1 0ED")]
    known = _known(connection, [dict[str, object](patient_ref=str(place), **one) for place, one in enumerate(made)])
    assert sorted(_found(connection, known, CODES, source="lab")) == []
    assert sorted(set(CODES) - _found(connection, known, CODES, source="gp")) == []


def test_what_is_known_holds_no_name_postcode_or_address(known: KnownIdentifiers) -> None:
    kept = str([known.tokens.to_pylist(), known.names.to_pylist()]).casefold()
    assert not [word for word in ("okafor", "mary", "fh10", "riverside", "green") if word in kept]


def test_a_code_of_snomed_ct_is_told_by_its_form_and_its_check_digit() -> None:
    assert all(map(is_snomed_id, ["827241000000103", "4804211000001109", "285861000119100"]))
    assert not any(map(is_snomed_id, ["827241000000104", "9990000018", "0099900000181", "x", ""]))


def _terms() -> list[list[str]]:
    """The rows of the OpenSAFELY code lists of the shared data."""
    rows = []
    with tarfile.open(shared("data/uk_codelists/opensafely_codelists.tar.gz")) as packed:
        for member in packed:
            if member.name.endswith(".csv") and (content := packed.extractfile(member)):
                text = io.StringIO(content.read().decode("utf-8-sig", "replace"), newline="")
                rows += list(csv.reader(text))[1:]
    return rows


def test_fewer_than_one_in_a_thousand_terms_of_british_code_lists_is_withheld(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    data = files("fairhaven.region").joinpath("data")
    given, family = (
        [row["name"] for row in csv.DictReader(data.joinpath(name).read_text(encoding="utf-8").splitlines())]
        for name in ("given_names.csv", "surnames.csv")
    )
    # Everybody who could be called so.
    persons = [{"patient_ref": "x", "given_name": " ".join(given), "family_name": " ".join(family)}]
    rows = _terms()
    found = _found(connection, _known(connection, persons), (cell for row in rows for cell in row))
    assert len(rows) == 58_769
    withheld = sum(1 for row in rows if found.intersection(row))
    assert withheld < len(rows) / 1000, sorted(found)[:20]
