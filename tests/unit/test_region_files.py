"""The demonstration region's files: the same for a seed, readable by the hub's own declarations, imperfect as documented."""

import datetime as dt
import gzip
import importlib.util
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from fairhaven import region
from fairhaven.intake import read_source
from fairhaven.kernel.errors import Invalid, Refused
from fairhaven.kernel.files import sha256_of
from fairhaven.kernel.progress import Silent
from fairhaven.kernel.toml import Document
from fairhaven.region import imperfections as rates

_FEW = 60
DOCUMENT = Path(__file__).parents[2] / "docs" / "explanation" / "demonstration-region.md"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> region.Region:
    """The region in its ordinary size."""
    return region.write(tmp_path_factory.mktemp("region") / "hub", progress=Silent())


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> region.Region:
    """The same seed's region of few persons."""
    return region.write(tmp_path_factory.mktemp("small") / "hub", persons=_FEW, progress=Silent())


def written(made: region.Region) -> dict[str, str]:
    """Path -> hash of each file of a region."""
    folder = made.folder
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and "store" not in path.parts)
    return {str(path.relative_to(folder)): sha256_of(path) for path in files}


def people(made: region.Region) -> duckdb.DuckDBPyRelation:
    return duckdb.read_parquet(str(made.truth / "people" / "*.parquet"))


def is_valid_nhs_number(number: str) -> bool:
    digits = [int(digit) for digit in number]
    check = 11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), digits, strict=False)) % 11
    return len(digits) == 10 and check % 11 == digits[9] and check != 10


def test_the_same_seed_gives_the_same_bytes_whatever_lay_there_before_and_another_seed_does_not(
    tmp_path: Path, small: region.Region
) -> None:
    def again(seed: int) -> dict[str, str]:
        return written(region.write(tmp_path / "b", persons=_FEW, seed=seed, progress=Silent()))

    first, other = written(small), again(2)
    alike = {Path(name).name for name, digest in other.items() if "2026-10" in name and first.get(name) == digest}
    assert alike <= {"Organization.ndjson", "Location.ndjson", "Practitioner.ndjson"}
    (tmp_path / "b" / "inbox" / "2026-10-01" / "gp_riverside" / "half.csv").write_text("left by an interrupted run")
    assert again(1) == first


def test_more_persons_do_not_change_those_who_were_there(small: region.Region, whole: region.Region) -> None:
    def identities(made: region.Region) -> list[Any]:
        first = people(made).project("person, true_birth_date, given_name, sex").filter(f"person <= {_FEW}")
        found: list[Any] = first.distinct().order("ALL").fetchall()
        return found

    assert identities(small) == identities(whole)


@pytest.mark.parametrize("persons", [1, 1131])
def test_any_number_of_persons_can_be_had(tmp_path: Path, persons: int) -> None:
    made = region.write(tmp_path, persons=persons, progress=Silent())
    assert made.persons == persons
    assert [day for day, _ in made.deliveries] == [dt.date(2026, 10, 1), dt.date(2026, 11, 1)]


@pytest.mark.parametrize("persons", [0, -1, 1_000_001])
def test_a_number_of_persons_out_of_bounds_is_refused(tmp_path: Path, persons: int) -> None:
    with pytest.raises(Invalid, match="--persons"):
        region.write(tmp_path, persons=persons, progress=Silent())


def test_without_the_material_the_user_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(Refused, match=re.escape('pip install "fairhaven[demo]"')):
        region.write(tmp_path, persons=1, progress=Silent())


def test_deliveries_name_every_file_of_the_inbox_and_the_opt_out_list_first(whole: region.Region) -> None:
    for day, delivered in whole.deliveries:
        assert [source for source, _ in delivered] == list(region.SOURCES)
        named = {path for _, files in delivered for path in files}
        assert named == {path for path in (whole.folder / "inbox" / day.isoformat()).rglob("*") if path.is_file()}


def test_every_source_of_the_hub_can_be_read_and_takes_every_file(whole: region.Region) -> None:
    for _, delivered in whole.deliveries:
        for name, files in delivered:
            document = Document(whole.folder / "sources" / f"{name}.toml", name)
            source = read_source(document)
            assert source is not None, document.faults
            for table in source.tables.values():
                matching = [file for file in files if file.name.startswith(table.files[0].removesuffix("*"))]
                assert len(matching) == 1
                header = matching[0].read_text(encoding=source.dialect.encoding).splitlines()[0]
                assert {column.header for column in table.columns} <= set(header.split(source.dialect.delimiter))


def test_true_nhs_numbers_are_valid_and_in_the_range_for_tests(whole: region.Region) -> None:
    numbers = [row[0] for row in people(whole).project("true_nhs_number").distinct().fetchall()]
    assert all(is_valid_nhs_number(number) and number.startswith("999") for number in numbers)


def test_a_mistyped_nhs_number_never_passes_the_check_digit(whole: region.Region) -> None:
    rows = people(whole).filter("list_contains(errors, 'nhs_number_mistyped')").project("nhs_number").fetchall()
    assert rows and not any(is_valid_nhs_number(row[0]) for row in rows)


def test_postcodes_are_of_an_area_that_does_not_exist(whole: region.Region) -> None:
    postcodes = people(whole).filter("postcode IS NOT NULL").project("postcode").distinct().fetchall()
    assert all(re.fullmatch(r"FH([1-9]|1[0-4]) \d[ABD-HJLNP-UW-Z]{2}", row[0]) for row in postcodes)


def test_twins_share_surname_birth_date_and_nothing_that_tells_them_apart(whole: region.Region) -> None:
    twins = duckdb.sql(
        "WITH p AS (SELECT DISTINCT person, true_birth_date, true_nhs_number FROM records) "
        "SELECT a.true_nhs_number, b.true_nhs_number FROM p a JOIN p b ON b.person = a.person + 1 AND a.person % 2 = 1 "
        "AND a.true_birth_date = b.true_birth_date",
        connection=_with_records(whole),
    ).fetchall()
    assert len(twins) > 3
    assert all(one != other for one, other in twins)


def _with_records(made: region.Region) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE VIEW records AS FROM read_parquet('{made.truth}/people/*.parquet')")
    return connection


def test_errors_are_about_as_frequent_as_documented(whole: region.Region) -> None:
    records = people(whole).filter("NOT is_second").project("source, errors, sex").fetchall()
    found = Counter(error for _, errors, _ in records for error in errors)

    def check(error: str, expected: float) -> None:
        # Four standard deviations of a Poisson count.
        assert abs(found[error] - expected) <= 4 * expected**0.5 + 2, (error, found[error], expected)

    check("nhs_number_missing", sum(rates.NHS_NUMBER_MISSING[source] for source, _, _ in records))
    check("nhs_number_mistyped", len(records) * rates.NHS_NUMBER_MISTYPED)
    check("nhs_number_of_another", len(records) * rates.NHS_NUMBER_OF_ANOTHER)
    check("given_name_mistyped", len(records) * rates.NAME_MISTYPED)
    check("family_name_mistyped", len(records) * rates.NAME_MISTYPED)
    check("postcode_missing", len(records) * rates.POSTCODE_MISSING)


def test_opt_outs_are_about_as_frequent_as_documented(whole: region.Region) -> None:
    lists = {
        day: (whole.folder / "inbox" / day / "national_opt_out" / "nhs_england_national_data_opt_out.csv").read_text()
        for day in ("2026-10-01", "2026-11-01")
    }
    first, second = (set(text.splitlines()) for text in lists.values())
    assert all(re.fullmatch(r"\d{10},", line) for line in first | second)
    assert abs(len(first) / whole.persons - rates.NATIONAL_OPT_OUT) < 0.02
    assert first != second


def test_the_explanation_says_every_rate(whole: region.Region) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for name, value in rates.RATES.items():
        assert re.search(rf"`{name}`[^|]*\|[^|]*\b{value * 100:g} %", text), f"{name}: {value * 100:g} %"


def test_no_fhir_line_holds_null_and_all_but_the_bad_ones_are_json(whole: region.Region) -> None:
    for _, delivered in whole.deliveries:
        for path in dict(delivered)["south_trust_fhir"]:
            text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            lines = text.decode().splitlines()
            valid = duckdb.execute("SELECT count(*) FROM unnest($1) t(line) WHERE json_valid(line)", [lines]).fetchone()
            bad = 2 if path.name == "Condition_01.ndjson" and "2026-10" in str(path) else 0
            assert valid == (len(lines) - bad,)
            assert not any(":null" in line for line in lines)


def test_the_vocabulary_has_what_the_demonstration_needs(tmp_path: Path) -> None:
    folder = region.material_vocabulary(tmp_path)
    connection = duckdb.connect()
    for name in ("CONCEPT", "CONCEPT_RELATIONSHIP", "CONCEPT_ANCESTOR", "VOCABULARY"):
        connection.execute(
            f"CREATE TABLE {name} AS FROM read_csv('{folder}/{name}.csv', delim = '\t', quote = '', header = true, all_varchar = true)"
        )
    mapped = connection.execute(
        "SELECT c.concept_code FROM concept_relationship r JOIN concept c ON c.concept_id = concept_id_1"
        " WHERE concept_id_1 <> concept_id_2 ORDER BY ALL"
    ).fetchall()
    assert [row[0] for row in mapped] == ["15777000", "275272006", "314659", "33914-3"]
    assert connection.execute("SELECT count(*) - count(DISTINCT concept_id) FROM concept").fetchone() == (0,)
    ingredients = connection.execute(
        "SELECT a.concept_name FROM concept_ancestor JOIN concept a ON a.concept_id = ancestor_concept_id"
        " JOIN concept d ON d.concept_id = descendant_concept_id WHERE d.concept_code = '1049221' AND a.concept_id <> d.concept_id"
        " ORDER BY ALL"
    ).fetchall()
    assert [row[0] for row in ingredients] == ["acetaminophen", "oxycodone"]


@pytest.mark.slow
def test_memory_stays_flat_however_many_persons(tmp_path: Path) -> None:
    # Not the peak that getrusage tells: a new process takes that over from the one that started it.
    program = (
        "import re, sys; from pathlib import Path; from fairhaven import region;"
        "from fairhaven.kernel.progress import Silent;"
        "region.write(Path(sys.argv[1]), persons=20_000, progress=Silent());"
        "print(int(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1]) // 1024)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True)
    # DuckDB takes a program without a file for somebody at a keyboard, and draws the progress of slow queries for them.
    assert int(run.stdout.split()[-1]) < 1000
