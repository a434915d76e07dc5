"""A person holds one valid NHS number."""

from bench.linkage import judged
from bench.namesakes import region_of_namesakes
from fairhaven.linkage import link
from fairhaven.nhs.number import valid_nhs_number


def test_two_valid_numbers_are_never_one_slip_apart() -> None:
    for number in ("9990000018", "9990000026", "9434765919", "4010232137"):
        assert valid_nhs_number(number)
        changed = {number[:at] + digit + number[at + 1 :] for at in range(10) for digit in "0123456789"}
        swapped = {number[:at] + number[at + 1] + number[at] + number[at + 2 :] for at in range(9)}
        assert [slip for slip in changed | swapped if valid_nhs_number(slip)] == [number]


def test_families_twins_and_namesakes_stay_apart() -> None:
    records, truth = region_of_namesakes(250)
    index = link(records, key=b"secret").index
    numbers = zip(
        records["source"].to_pylist(),
        records["patient_ref"].to_pylist(),
        records["nhs_number"].to_pylist(),
        strict=True,
    )
    number_of = {(source, ref): valid_nhs_number(number) for source, ref, number in numbers}
    held: dict[int, set[str]] = {}
    for row in index.to_pylist():
        if number := number_of[row["source"], row["patient_ref"]]:
            held.setdefault(row["person_id"], set()).add(number)
    assert max(len(each) for each in held.values()) == 1
    precision, recall, _ = judged(index, truth)
    assert precision >= 0.995 and recall >= 0.98, (precision, recall)
