"""CPU-seconds per million identity records, and precision and recall, of Fairhaven's linkage and of Splink alone.

    python -m bench.linkage [--records 100000] [--no-splink]

Both link the same invented regions in the same process, one after the other: one of errors (known truth: twins, namesakes, families
at one address, and the errors of `_with_errors`), and one of people who are easily taken for each other (`bench.namesakes`). Splink alone runs its own documented recipe: its library's
comparisons, blocking on four rules, clusters at probability 0.95.
"""

import argparse
import logging
import resource
import time
import warnings
from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa

from bench.namesakes import region_of_namesakes
from bench.namesakes_oracle import limit
from fairhaven.linkage import link
from fairhaven.linkage.model import IDENTITY_SCHEMA
from fairhaven.nhs.number import check_digit

SHARES = (0.95, 0.6, 0.55, 0.5, 0.45, 0.3, 0.15)  # chance that a source knows a person

_FORENAMES = (
    "john", "mary", "william", "elizabeth", "james", "margaret", "robert", "catherine", "thomas", "susan",
    "david", "patricia", "michael", "christine", "peter", "helen", "andrew", "jennifer", "christopher",
    "deborah", "anthony", "alison", "matthew", "rebecca", "daniel", "samantha", "edward", "victoria", "joseph",
    "jessica", "samuel", "charlotte", "benjamin", "amanda", "stephen", "nicola", "richard", "jacqueline",
    "alexander", "stephanie", "gareth", "priya", "mohammed", "aisha", "oliver", "amelia", "harry", "isla",
    "noah", "ava", "george", "mia", "arthur", "grace", "muhammad", "lily", "leo", "freya", "oscar", "emily",
    "archie", "ella", "henry", "sofia", "luca", "olivia", "ethan", "zara", "yusuf", "fatima", "ivan", "oksana",
    "kofi", "ama", "raj", "sunita", "wei", "li", "chen", "mei",
)  # fmt: skip
_STARTS = (
    "b", "br", "c", "ch", "cl", "d", "f", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pr", "r", "s", "sh",
    "st", "t", "th", "w",
)  # fmt: skip
_MIDDLES = (
    "a", "e", "i", "o", "u", "ar", "er", "or", "al", "en", "in", "on", "ea", "ou",
)  # fmt: skip
_ENDS = (
    "ll", "n", "m", "r", "t", "ton", "son", "man", "ley", "ford", "well", "by", "ham", "worth", "field", "er",
    "s", "d",
)  # fmt: skip
_STREETS = ("Mill", "High", "Church", "Station", "Park", "Green")
_KINDS = ("Road", "Street", "Lane")


def region_of_errors(records: int, *, seed: int = 1) -> tuple[pa.Table, pa.Table]:
    """Identity records of about *records* rows, and their truth (source, patient_ref, truth)."""
    persons = round(records / sum(SHARES))
    draw = np.random.default_rng(seed)
    people = _people(persons, draw)
    parts, truths = [], []
    for source, share in enumerate(SHARES):
        known = np.flatnonzero(draw.random(persons) < share)
        twice = known[draw.random(known.size) < 0.003]  # registered twice by the same source
        rows = np.concatenate([known, twice])
        parts.append(_with_errors({name: values[rows] for name, values in people.items()}, draw, source))
        truths.append(pa.table({"source": [f"source_{source}"] * rows.size,
                                "patient_ref": [f"{source}-{n}" for n in range(rows.size)], "truth": rows}))  # fmt: skip
    return pa.concat_tables(parts), pa.concat_tables(truths)


def _names(count: int, draw: np.random.Generator) -> np.ndarray:
    starts, middles, ends = np.array(_STARTS), np.array(_MIDDLES), np.array(_ENDS)
    pick = [draw.integers(0, part.size, count) for part in (starts, middles, ends, middles, ends)]
    name = np.char.add(np.char.add(starts[pick[0]], middles[pick[1]]), ends[pick[2]])
    long = np.char.add(np.char.add(name, middles[pick[3]]), ends[pick[4]])
    return np.unique(np.where(draw.random(count) < 0.5, name, long))


def _zipf(count: int, size: int, draw: np.random.Generator, power: float) -> np.ndarray:
    weights = 1.0 / np.arange(1, size + 1) ** power
    return draw.choice(size, count, p=weights / weights.sum())


def _people(count: int, draw: np.random.Generator) -> dict[str, np.ndarray]:
    formal = np.array(_FORENAMES)
    first = np.concatenate([formal, np.setdiff1d(_names(3000, draw), formal)])
    last = _names(40000, draw)
    draw.shuffle(last)
    home = draw.integers(0, max(count * 2 // 5, 1), count)  # households of 2.5 on average
    surname_of_home = _zipf(home.max() + 1, last.size, draw, 0.7)
    family = np.where(draw.random(count) < 0.7, surname_of_home[home], _zipf(count, last.size, draw, 0.7))
    birth = draw.integers(-12000, 20000, count)  # days since 1970
    twin = np.flatnonzero(draw.random(count - 1) < 0.012) + 1
    home[twin], family[twin], birth[twin] = home[twin - 1], family[twin - 1], birth[twin - 1]
    given = _zipf(count, first.size, draw, 0.9)
    given[twin] = np.where(given[twin] == given[twin - 1], (given[twin] + 1) % first.size, given[twin])
    return {
        "number": _numbers(count, draw),
        "given": first[given].astype(object),
        "second": first[_zipf(count, first.size, draw, 0.9)].astype(object),
        "family": last[family].astype(object),
        "married": last[_zipf(count, last.size, draw, 0.7)].astype(object),
        "birth": np.datetime64("1970-01-01") + birth,
        "sex": np.where(given % 2 == 0, "M", "F").astype(object),
        "home": home,
        "former": draw.integers(0, home.max() + 1, count),
    }


def _numbers(count: int, draw: np.random.Generator) -> np.ndarray:
    numbers: list[str] = []
    for nine in draw.choice(10**7, count * 5 // 4 + 20, replace=False):
        stem = f"99{nine:07d}"
        if (digit := check_digit(stem)) is not None:
            numbers.append(f"{stem}{digit}")
        if len(numbers) == count:
            break
    return np.array(numbers, dtype=object)


def _with_errors(people: dict[str, np.ndarray], draw: np.random.Generator, source: int) -> pa.Table:
    size = people["number"].size

    def hit(share: float) -> np.ndarray:
        return draw.random(size) < share

    def change(values: np.ndarray, share: float, how: object) -> None:
        for place in np.flatnonzero(hit(share)):
            values[place] = how(values[place])  # type: ignore[operator]

    def typing_error(text: str) -> str:
        place, kind = int(draw.integers(0, len(text))), int(draw.integers(0, 4))
        letter = "0123456789"[draw.integers(0, 10)] if text[place].isdigit() else chr(97 + int(draw.integers(0, 26)))
        if kind == 0 or (text.isdigit() and kind < 3):
            return text[:place] + letter + text[place + 1 :]
        if kind == 1 or text.isdigit():
            return text[:place] + text[place + 1 : place + 2] + text[place] + text[place + 2 :]
        if kind == 2 and len(text) > 2:
            return text[:place] + text[place + 1 :]
        return text[:place] + letter + text[place:]

    nicknames = {"william": "bill", "elizabeth": "liz", "james": "jim", "margaret": "peggy", "robert": "bob",
                 "catherine": "kate", "thomas": "tom", "susan": "sue", "david": "dave", "michael": "mike",
                 "christine": "chris", "andrew": "andy", "jennifer": "jenny", "anthony": "tony", "matthew": "matt",
                 "rebecca": "becky", "daniel": "dan", "samantha": "sam", "edward": "ted", "john": "jack",
                 "richard": "dick", "alexander": "alex", "joseph": "joe", "benjamin": "ben"}  # fmt: skip
    number = people["number"].copy()
    change(number, 0.02, typing_error)
    number[hit((0.01, 0.05, 0.1, 0.1, 0.35, 0.2, 0.6)[source])] = None
    given = people["given"].copy()
    change(given, 0.3, lambda name: nicknames.get(name, name))
    change(given, 0.02, typing_error)
    change(given, 0.01, lambda name: name[0])
    known_by_second = hit(0.01)
    given[known_by_second] = people["second"][known_by_second]
    with_second = hit(0.3) & ~known_by_second
    given[with_second] = given[with_second] + " " + people["second"][with_second]
    family = people["family"].copy()
    is_married = hit(0.05) & (people["sex"] == "F")
    family[is_married] = people["married"][is_married]
    change(family, 0.02, typing_error)
    swapped = hit(0.005)
    given[swapped], family[swapped] = family[swapped], given[swapped].copy()
    birth = people["birth"].astype("datetime64[D]").copy()
    turned = hit(0.01)
    year, month = birth.astype("datetime64[Y]"), (birth.astype("datetime64[M]").astype(int) % 12)
    day = (birth - birth.astype("datetime64[M]")).astype(int)
    turned &= day < 12
    birth[turned] = (year.astype("datetime64[M]") + day).astype("datetime64[D]")[turned] + month[turned]
    slipped = hit(0.01)
    birth[slipped] += draw.choice([-10, -1, 1, 10, 365, -365], slipped.sum())
    home = np.where(hit(0.12), people["former"], people["home"])
    postcode = np.array([_postcode(number) for number in home], dtype=object)
    address = np.array(
        [f"{number % 97 + 1} {_STREETS[number % 6]} {_KINDS[number % 3]}" for number in home], dtype=object
    )
    change(postcode, 0.01, typing_error)
    postcode[hit(0.03)] = None
    address[hit(0.1)] = None
    sex = people["sex"].copy()
    sex[hit(0.02)] = None
    columns = {
        "source": [f"source_{source}"] * size,
        "patient_ref": [f"{source}-{n}" for n in range(size)],
        "row_extract": np.full(size, source + 1, np.int32),
        "nhs_number": number,
        "given_name": given,
        "family_name": family,
        "birth_date": birth,
        "sex": sex,
        "postcode": postcode,
        "address": address,
        "ethnicity": pa.nulls(size, pa.string()),
        "source_links": pa.nulls(size, pa.string()),
        "birth_part": pa.nulls(size, pa.string()),
    }
    return pa.table(columns, schema=IDENTITY_SCHEMA)


def _postcode(home: int) -> str:
    outward = f"{'ABCDEFGHKL'[home % 10]}{'LNSTW'[home % 5]}{home // 50 % 30 + 1}"
    return f"{outward} {home // 1500 % 9 + 1}{'ABDEFGHJLN'[home // 13500 % 10]}{'PQRSTUWXYZ'[home // 7 % 10]}"


def judged(clusters: pa.Table, truth: pa.Table) -> tuple[float, float, float]:
    """Precision, recall and F1 over pairs of patients (source, patient_ref, person_id)."""
    connection = duckdb.connect()
    connection.register("clusters", clusters)
    connection.register("truth", truth)
    said, true, both = (
        connection.execute(
            "SELECT coalesce(sum(n * (n - 1) / 2), 0) FROM ("
            f"SELECT count(*) AS n FROM clusters JOIN truth USING (source, patient_ref) GROUP BY {key})"
        ).fetchall()[0][0]
        for key in ("person_id", "truth", "person_id, truth")
    )
    precision, recall = both / said, both / true
    return precision, recall, 2 * precision * recall / (precision + recall)


def splink_alone(records: pa.Table) -> pa.Table:
    """Splink's own recipe over the same cleaned columns."""
    import splink.comparison_library as library
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    logging.getLogger("splink").setLevel(logging.CRITICAL + 1)
    connection = duckdb.connect(config={"memory_limit": "6GB"})
    connection.register("arriving", records)
    connection.execute(
        r"""
        CREATE TABLE people AS
        SELECT source || '|' || patient_ref AS unique_id, nullif(nhs_number, '') AS nhs_number,
            split_part(lower(given_name), ' ', 1) AS first_name, lower(family_name) AS surname,
            strftime(birth_date, '%Y-%m-%d') AS dob, sex, postcode FROM arriving
        """
    )
    api = DuckDBAPI(connection=connection)
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            library.ForenameSurnameComparison("first_name", "surname"),
            library.DateOfBirthComparison("dob", input_is_string=True),
            library.PostcodeComparison("postcode"),
            library.ExactMatch("sex"),
            library.ExactMatch("nhs_number"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("nhs_number"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("first_name", "surname", "postcode"),
        ],
    )
    linker = Linker(api.register("people"), settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match([block_on("nhs_number")], recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("first_name", "surname"), max_pairs=1e6)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("dob"), max_pairs=1e6)
    predicted = linker.inference.predict(threshold_match_probability=0.5)
    clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(predicted, threshold_match_probability=0.95)
    return connection.execute(
        f"""
        SELECT split_part(unique_id, '|', 1) AS source, split_part(unique_id, '|', 2) AS patient_ref,
            cluster_id AS person_id FROM {clustered.physical_name}
        """
    ).fetch_arrow_table()


def main() -> None:
    """Print one row for each contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--no-splink", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    contenders: dict[str, Callable[[pa.Table], pa.Table]] = {
        "fairhaven": lambda records: link(records, key=b"bench").index
    }
    if not arguments.no_splink:
        contenders["splink alone"] = splink_alone
    # About 4.5 records a family.
    worlds: dict[str, Callable[[], tuple[pa.Table, pa.Table]]] = {
        "errors": lambda: region_of_errors(arguments.records),
        "namesakes": lambda: region_of_namesakes(max(arguments.records * 2 // 9, 50)),
    }
    for world, made in worlds.items():
        records, truth = made()
        persons = len(set(truth["truth"].to_pylist()))
        print(f"{world}: {records.num_rows:,} records of {persons:,} persons; peak before: {_peak():.0f} MB")
        first = 0.0
        for name, contender in contenders.items():
            started = time.process_time()
            clusters = contender(records)
            spent = time.process_time() - started
            first = first or spent
            precision, recall, f1 = judged(clusters, truth)
            print(
                f"{name:14} {spent * 1e6 / records.num_rows:8.1f} CPU-s a million  precision {precision:.5f}  "
                f"recall {recall:.5f}  F1 {f1:.5f}  {spent / first:.2f} times our CPU  peak {_peak():.0f} MB"
            )
            if (world, name) == ("namesakes", "fairhaven"):
                best = limit(records, truth, recall=recall)
                print(
                    f"{'an oracle':14} precision {best.precision:.5f} at recall {best.recall:.5f}; of {best.questions:,} records without a valid "
                    f"number {best.alike:,} fit two people alike, of whom one is right"
                )


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
