"""The attack on a whole hub: who somebody is, planted in every text, and looked for in everything that is not sealed."""

import json
from pathlib import Path

import duckdb
import pytest

from tests.support.command_line import Command
from tests.support.partner_cdm import new_hub, vocabulary_files
from tests.support.planted_identifiers import CONFIDED, NUMBERS, PLANTED, TABLES, planted_resources, planted_tables

_SOURCE = 'title = "x"\ncontroller = "partner"\nkind = "{kind}"\nformat = "{format}"\nnational_opt_out = false\n'
# Whatever may hold a text is declared coded: what is not withheld by its value would go through.
_MAPPING = """
[[map]]
name = "person"
from = "registrations"
to = "person"
[map.set]
birth_date = "birth_date"
gender = "sex"
ethnicity = "ethnicity"

[[map]]
name = "events"
from = "events"
to = "observation"
coded = ["term", "unit"]
[map.code]
column = "code"
vocabulary = { column = "code_system" }
text = "term"
[map.set]
start_date = "event_date"
value_text = "term"
value_source_value = "unit"
unit = "unit"
"""
_CODED = 'coded = ["observation.value_text", "observation_component.value_text", "condition.code_text", "observation.code_text"]'
_LATER = "Nwosu"
"""The surname of somebody who stands in a text that lands before the hub knows them."""
_SEALED = ("store/deliveries/", "store/vault/", "store/keys/")


def _texts(path: Path) -> str:
    """What stands in a file, as text."""
    if path.suffix in (".parquet", ".duckdb"):
        with duckdb.connect() as connection:
            if path.suffix == ".parquet":
                return repr(connection.execute("FROM read_parquet(?)", [str(path)]).fetchall())
            connection.execute(f"ATTACH '{path}' AS exported (READ_ONLY)")
            names = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'exported'")
            return "".join(
                repr(connection.execute(f'FROM exported."{name}"').fetchall()) for (name,) in names.fetchall()
            )
    return path.read_bytes().decode("utf-8", "replace")


@pytest.fixture(scope="module")
def attacked(fairhaven: Command, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Place -> what stands there, of all that the hub keeps unsealed, exports and says."""
    folder = tmp_path_factory.mktemp("planted")
    hub = new_hub(folder / "hub", vocabulary_files(tmp_path_factory.mktemp("vocabulary")))
    (hub / "sources" / "gp.toml").write_text(
        'mapping = ["gp.toml"]\n' + _SOURCE.format(kind="gp", format="delimited") + TABLES
    )
    (hub / "mappings" / "gp.toml").write_text(_MAPPING)
    (hub / "sources" / "trust.toml").write_text(_SOURCE.format(kind="hospital", format="fhir") + _CODED)
    for name, query in planted_tables(more=f"seen with Amaka {_LATER}").items():
        duckdb.execute(f"COPY ({query}) TO '{folder}/{name}.csv' (HEADER)")
    (folder / "resources.ndjson").write_text(planted_resources())
    (folder / "registrations_2.csv").write_text(
        "patient_id,nhs_number,given_name,family_name,birth_date,sex,ethnicity,postcode,address,registered_on\n"
        f"77,9990000026,Amaka,{_LATER},1990-01-02,F,A,FH1 1AA,1 Mill Lane,2020-01-01\n"
    )
    said = [
        fairhaven("receive", hub, "gp", folder / "registrations.csv", folder / "events.csv"),
        fairhaven("receive", hub, "trust", folder / "resources.ndjson"),
        fairhaven("receive", hub, "gp", folder / "registrations_2.csv"),
        fairhaven("build", hub, code=1),
        fairhaven("build", hub),
        fairhaven("report", hub, "--out", folder / "out" / "report.html"),
        fairhaven("release", "show", hub, "--json"),
        fairhaven("export", hub, "--format", "duckdb", "--out", folder / "out" / "omop.duckdb"),
    ]
    found = {f"command {place}": done.stdout + done.stderr for place, done in enumerate(said)}
    for path in sorted(folder.glob("hub/**/*")) + sorted(folder.glob("out/**/*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.removeprefix("hub/").startswith(_SEALED):
            found[name] = _texts(path)
    return found


def test_nothing_planted_is_in_landing_releases_exports_pages_logs_or_what_commands_say(
    attacked: dict[str, str],
) -> None:
    told = {place: [text for text in PLANTED if repr(text)[1:-1] in said] for place, said in attacked.items()}
    assert {place: texts for place, texts in told.items() if texts} == {}
    assert any("harmless" in said for place, said in attacked.items() if "archive" in place)
    assert [place for place, said in attacked.items() if any(str(number) in said for number in NUMBERS)] == []
    # What no rule reads is nowhere, whatever it says.
    assert [place for place, said in attacked.items() if CONFIDED in said] == []


def test_who_becomes_known_later_stops_the_release_and_what_landed_before_is_landed_again(
    attacked: dict[str, str],
) -> None:
    assert "landed again without them (extracts " in attacked["command 3"]
    assert "observation.value_as_string" in attacked["command 3"]
    assert [place for place, said in attacked.items() if _LATER in said] == []
    assert json.loads(attacked["command 6"])["name"] == "r0001"
