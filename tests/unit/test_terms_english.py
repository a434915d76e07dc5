"""Terms in plain English: a line for each thing said, with who decides it, and how two versions differ."""

from pathlib import Path

from fairhaven.access.terms.data_use import DataUse
from fairhaven.access.terms.model import DataController
from fairhaven.access.terms.request_class import RequestClass
from fairhaven.access.terms.term_fields import TermNoun
from fairhaven.access.terms.term_words import DecidedBy
from fairhaven.access.terms.terms_difference import changes
from fairhaven.access.terms.terms_english import lines_of
from fairhaven.access.terms.tiers import Tier
from fairhaven.kernel.word import Word
from tests.support.terms import WHOLE, changed, controller


def test_each_line_says_what_and_who_decides(tmp_path: Path) -> None:
    terms = controller(
        tmp_path, changed(("starts = 2026-10-01", 'starts = 2026-10-01\nconditions = ["Not by practice."]'))
    )
    said = {line.field: (line.heading, line.words, str(line.decided_by)) for line in lines_of(terms.terms["gp"])}
    assert said["use.purposes"] == (
        "Who may use the data for what",
        "Purposes that the data may be used for: research into health, disease and care",
        "machine",
    )
    assert said["legal.article_6"][1:] == ("Lawful basis: 6(1)(e), a task in the public interest", "told")
    assert said["conditions"] == ("", "Further conditions, in the controller's words: Not by practice.", "person")
    assert said["ends"][1] == ("Last day of the agreement: none. Without it the terms hold until they are withdrawn.")
    assert said["discovery"][1] == "Who may ask for protected counts before any agreement: nobody"


def test_every_field_is_described_and_says_who_decides_it() -> None:
    left: list[type[TermNoun]] = [DataController, Tier, RequestClass, DataUse]
    left += TermNoun.__subclasses__()
    for noun in left:
        for name, info in noun.model_fields.items():
            assert info.description, (noun, name)
            assert info.description.endswith("."), (noun, name)
            is_noun = "TermNoun" in str(info.annotation) or any(
                each.__name__ in str(info.annotation) for each in TermNoun.__subclasses__()
            )
            assert is_noun or any(isinstance(each, DecidedBy) for each in info.metadata), (noun, name)


def test_every_word_has_a_meaning_of_its_own() -> None:
    for words in Word.__subclasses__():
        meanings = [word.meaning for word in words]
        assert all(meanings), words
        assert len(set(meanings)) == len(meanings), words


def test_two_versions_differ_in_english(tmp_path: Path) -> None:
    earlier = controller(tmp_path)
    later = controller(
        tmp_path,
        changed(
            ('["nhs", "academia"]', '["nhs", "charity"]'),
            ("starts = 2026-10-01", 'starts = 2026-10-01\nends = 2029-09-30\ndiscovery = "public"'),
            ("longest_months = 24", "longest_months = 12"),
            ('statute = "Health and Social Care Act 2012"', 'statute = "Health and Social Care Act 2012"\nethics = { reference = "1", review_on = 2027-01-01 }'),
        )
        + "[sensitivity.gp_hillside]\n"
        + "".join(f"{name} = false\n" for name in ("identifiers", "free_text", "stigma", "genomic", "images", "small_areas", "exact_dates", "rare", "vulnerable")),
    )  # fmt: skip
    assert [(change.field, change.words) for change in changes(earlier, later)] == [
        ("terms.gp.ends", "Last day of the agreement: 2029-09-30 (before: nothing)"),
        ("terms.gp.use.sectors", "Kinds of organisation that may use them: now also charities; no longer universities and research institutes"),
        ("terms.gp.legal.ethics", "Approval by a research ethics committee: is said now"),
        ("terms.gp.setting.longest_months", "Months that a project lasts at longest: 12 (before: 24)"),
        ("terms.gp.discovery", "Who may ask for protected counts before any agreement: anybody (before: nobody)"),
        ("sensitivity.gp_hillside", "How sensitive each dataset is: gp_hillside is new"),
    ]  # fmt: skip
    assert not changes(later, later)


def test_terms_taken_away_and_made_anew_are_told_by_name(tmp_path: Path) -> None:
    earlier = controller(tmp_path)
    later = controller(tmp_path, WHOLE.replace("terms.gp", "terms.records"))
    assert [change.words.rpartition(": ")[2] for change in changes(earlier, later)] == [
        "gp is taken away",
        "records is new",
    ]


def test_a_change_of_order_alone_is_said_to_be_one(tmp_path: Path) -> None:
    later = changed(('["nhs", "academia"]', '["academia", "nhs"]'))
    [change] = changes(controller(tmp_path), controller(tmp_path, later))
    assert change.words.endswith("in another order")
