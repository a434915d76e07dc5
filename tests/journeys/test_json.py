"""With `--json` every command writes one document of its documented form, done or refused or wrongly used."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from docs.generators.json_results import result_type
from fairhaven.cli.refusals import RefusalResult
from fairhaven.hub import make_hub, open_hub
from fairhaven.journeys.network.serve import add_member, put_question
from tests.support.actors import ANNA
from tests.support.command_line import command_line, run
from tests.support.demonstration import PERSONS
from tests.support.json_form import COMMANDS, check_form, read_strictly

_DEATHS = """registration_id,nhs_number,forenames,surname,date_of_birth,sex,usual_postcode,date_of_death,underlying_cause,place_of_death,colour
A-1,,Ada,Byron,1815-12-10,F,,2026-10-30,I21,Home,red
A-2,,Alan,Turing,1912-06-23,M,,yesterday,I21,Home,red
"""
_PERSONS = """rec_id,given_name,surname,date_of_birth
rec-1-org,Ada,Byron,1815-12-10
rec-1-dup-0,Ada,Byron,1815-12-10
rec-2-org,Alan,Turing,1912-06-23
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where the commands are run.

    Args:
        hub: a copy of the demonstration hub that commands may change.
        same: a copy of it in which nothing changes.
        work: an empty folder for what is written.
        person: a person of the copy.
        row: a row of its CONDITION_OCCURRENCE.
        uuid: a question that was put to its network.
    """

    hub: Path
    same: Path
    work: Path
    person: int
    row: int
    uuid: str

    @property
    def definition(self) -> Path:
        """A cohort definition."""
        return self.hub / "cohorts" / "type_2_diabetes_on_metformin.toml"

    def file(self, name: str, text: str) -> Path:
        """A file with a text."""
        path = self.work / name
        path.write_text(text)
        return path

    def new_hub(self) -> Path:
        """A hub that is empty yet."""
        made = self.work / "empty"
        if not made.exists():
            make_hub(made, by=ANNA)
        return made


@pytest.fixture(scope="module")
def places(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Places:
    folder = tmp_path_factory.mktemp("json")
    for name in ("hub", "same"):
        shutil.copytree(demo, folder / name)
    (folder / "work").mkdir()
    rooms = open_hub(folder / "hub")
    for member in ("hillside", "parkside"):
        add_member(rooms, member, by=ANNA)
    question = folder / "question.json"
    question.write_text('{"analysis": "DISTRIBUTION", "code": "GENERIC"}')
    files = [str(path) for path in rooms.archive.files(rooms.archive.release(), "condition_occurrence")]
    found = duckdb.execute(
        "SELECT max(person_id), max(condition_occurrence_id) FROM read_parquet(?)", [files]
    ).fetchone()
    assert found is not None
    return Places(
        hub=folder / "hub",
        same=folder / "same",
        work=folder / "work",
        person=found[0],
        row=found[1],
        uuid=put_question(rooms, question, to=["hillside"], by=ANNA).uuid,
    )


Words = Callable[[Places], Sequence[str | Path | int]]

DONE: list[tuple[str, Words]] = [
    ("demo", lambda at: [at.same, "--persons", PERSONS, "--no-serve"]),
    ("init", lambda at: [at.work / "new"]),
    ("check", lambda at: [at.hub]),
    ("upgrade", lambda at: [at.same]),
    ("ledger show", lambda at: [at.same]),
    ("ledger verify", lambda at: [at.same]),
    ("ledger checkpoint", lambda at: [at.same]),
    ("ledger prove", lambda at: [at.same, 2]),
    ("keys check", lambda at: [at.same]),
    ("keys rotate", lambda at: [at.hub]),
    ("receive", lambda at: [at.hub, "registrar_deaths", at.file("deaths_new.csv", _DEATHS)]),
    ("build", lambda at: [at.same]),
    ("build", lambda at: [at.same, "--plan"]),
    ("trace", lambda at: [at.same, "condition_occurrence", at.row]),
    ("export", lambda at: [at.same, "--format", "parquet", "--out", at.work / "cdm"]),
    ("quality", lambda at: [at.same]),
    ("report", lambda at: [at.same, "--out", at.work / "report.html"]),
    ("release list", lambda at: [at.same]),
    ("release show", lambda at: [at.same]),
    ("release diff", lambda at: [at.same]),
    ("release verify", lambda at: [at.same]),
    ("store verify", lambda at: [at.same]),
    ("linkage trial", lambda at: [at.file("persons.csv", _PERSONS), "--truth", "rec_id"]),
    ("cohort explain", lambda at: [at.definition]),
    ("cohort count", lambda at: [at.same, at.definition, "--out", at.work / "counts.json"]),
    ("project open", lambda at: [at.hub, "p", "--organisation", "o"]),
    ("terms show", lambda at: [at.same, "parkview"]),
    ("terms diff", lambda at: [at.same, "--earlier", at.hub]),
    ("cohort count", lambda at: [at.hub, at.definition, "--project", "p"]),
    ("cohort report", lambda at: [at.same, at.definition]),
    ("cohort generate", lambda at: [at.same, at.definition]),
    ("cohort generate", lambda at: [at.same, at.definition, "--out", at.work / "rows.csv"]),
    ("cohort budget", lambda at: [at.hub, "p"]),
    ("cohort questions", lambda at: [at.hub]),
    ("network join", lambda at: [at.hub, "riverside"]),
    ("network leave", lambda at: [at.hub, "parkside"]),
    ("network ask", lambda at: [at.hub, at.file("q.json", '{"analysis": "DISTRIBUTION", "code": "GENERIC"}')]),
    ("network results", lambda at: [at.hub, at.uuid]),
    ("vocabulary load", lambda at: [at.new_hub(), at.same]),
    ("erase", lambda at: [at.hub, "--person-key", at.person, "--plan"]),
]
SERVED = {"network serve", "answer"}
"""Commands that need each other; a test of their own runs them. What a person's erasure gives is seen where it is done anyway."""

REFUSED: dict[str, tuple[str, Words]] = {
    "demo": ("not_allowed_now", lambda at: [at.same, "--persons", 7]),
    "init": ("not_allowed_now", lambda at: [at.same]),
    "receive": ("not_found", lambda at: [at.same, "nobody", at.definition]),
    "trace": ("not_found", lambda at: [at.same, "condition_occurrence", 12]),
    "export": ("not_allowed_now", lambda at: [at.same, "--format", "parquet", "--out", at.work]),
    "quality": ("not_found", lambda at: ["nowhere"]),
    "report": ("not_found", lambda at: ["nowhere", "--out", "x.html"]),
    "answer": ("not_found", lambda at: ["nowhere", "--task-api", "http://127.0.0.1:1", "--collection", "c"]),
    "release show": ("not_found", lambda at: [at.same, "r0099"]),
    "linkage trial": ("invalid", lambda at: ["absent.csv", "--truth", "rec_id"]),
    "cohort explain": ("invalid", lambda at: [at.file("broken.toml", "entry = 3\n")]),
    "cohort count": ("not_found", lambda at: ["nowhere", at.definition]),
    "cohort report": ("not_found", lambda at: ["nowhere", at.definition]),
    "cohort generate": ("invalid", lambda at: [at.same, at.definition, "--out", at.work / "rows.xlsx"]),
    "project open": ("invalid", lambda at: [at.same, "", "--organisation", "o"]),
    "terms show": ("not_found", lambda at: [at.same, "nobody"]),
    "terms diff": ("not_found", lambda at: [at.same, "--earlier", "nowhere"]),
    "cohort budget": ("not_found", lambda at: ["nowhere", "p"]),
    "cohort questions": ("not_found", lambda at: ["nowhere"]),
    "network join": ("not_allowed_now", lambda at: [at.hub, "hillside"]),
    "network leave": ("not_found", lambda at: [at.hub, "nobody"]),
    "network ask": ("not_found", lambda at: [at.hub, "absent.json"]),
    "network results": ("not_found", lambda at: [at.hub, "no-such-question"]),
    "network serve": ("invalid", lambda at: [at.hub, "--host", "0.0.0.0", "--port", 0]),
    "vocabulary load": ("not_found", lambda at: ["nowhere", at.same]),
    "erase": ("not_found", lambda at: [at.same, "--person-key", 12]),
    "upgrade": ("not_found", lambda at: ["nowhere"]),
    "ledger show": ("invalid", lambda at: [at.same, "--kind", "nothing"]),
    "ledger verify": ("not_found", lambda at: [at.same, "--checkpoint", "absent"]),
    "ledger checkpoint": ("not_found", lambda at: ["nowhere"]),
    "ledger prove": ("not_found", lambda at: [at.same, 1_000]),
    "store verify": ("not_found", lambda at: ["nowhere"]),
} | {
    name: ("not_found", lambda at: ["nowhere"])
    for name in ("check", "keys check", "keys rotate", "build", "release list", "release diff", "release verify")
}


def test_every_command_is_tried() -> None:
    assert {name for name, _ in DONE} | SERVED == set(COMMANDS)
    assert set(REFUSED) == set(COMMANDS)


@pytest.mark.parametrize(("name", "words"), DONE, ids=[f"{name} {number}" for number, (name, _) in enumerate(DONE)])
def test_what_is_done_has_the_documented_form(name: str, words: Words, places: Places) -> None:
    done = run(*name.split(), *words(places), "--json")
    check_form(read_strictly(done.stdout), result_type(COMMANDS[name]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_has_the_one_form(name: str, places: Places) -> None:
    code, words = REFUSED[name]
    done = run(*name.split(), *words(places), "--json", code=1)
    document = read_strictly(done.stdout)
    check_form(document, RefusalResult)
    assert document["error"]["code"] == code
    assert all(fault["message"] in done.stderr for fault in document["error"]["faults"])


@pytest.mark.parametrize("name", COMMANDS)
def test_wrong_usage_has_the_one_form(name: str) -> None:
    document = read_strictly(run(*name.split(), "--colour", "--json", code=2).stdout)
    check_form(document, RefusalResult)
    assert document["error"]["code"] == "usage"


@pytest.fixture
def address(places: Places) -> Iterator[str]:
    """Where a network is served; what the server says of it is the result of its command."""
    command = command_line("network", "serve", places.hub, "--port", 0, "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as serving:
        assert serving.stdout is not None
        lines = []
        for line in serving.stdout:
            lines.append(line)
            if line == "}\n":
                break
        served = read_strictly("".join(lines))
        check_form(served, result_type(COMMANDS["network serve"]))
        yield served["address"]
        serving.send_signal(signal.SIGINT)
        assert serving.stdout.read() == ""
        assert serving.wait(timeout=30) == 0


def test_a_server_says_its_address_and_a_worker_what_it_did(
    address: str, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = add_member(open_hub(places.hub), "hillside", renew=True, by=ANNA)
    monkeypatch.setenv("FAIRHAVEN_TASK_API_USERNAME", secret.username)
    monkeypatch.setenv("FAIRHAVEN_TASK_API_PASSWORD", secret.password)
    words = ["--task-api", f"{address}/link_connector_api", "--collection", "hillside", "--once", "--json"]
    document = read_strictly(run("answer", places.hub, *words).stdout)
    check_form(document, result_type(COMMANDS["answer"]))
    assert document["posted"] >= 1
    (reply,) = read_strictly(run("network", "results", places.hub, places.uuid, "--json").stdout)
    assert reply["state"] == "answered"
    check_form([reply], result_type(COMMANDS["network results"]))
