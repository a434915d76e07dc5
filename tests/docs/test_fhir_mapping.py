"""The reference page of FHIR says what the code does."""

from tests.docs.fhir_mapping import PAGE, page


def test_the_page_is_what_the_views_and_rules_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.docs.fhir_mapping`"
