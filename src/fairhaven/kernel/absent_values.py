"""What exporting programs write where there is no value: nothing, SQL Server's NULL, PostgreSQL's \\N."""

WORDS_FOR_NOTHING = frozenset({"", "NULL", "\\N"})


def is_absent(text: str) -> bool:
    """Whether a text says that there is no value, in any case and whatever blanks stand around it."""
    return text.strip().upper() in WORDS_FOR_NOTHING
