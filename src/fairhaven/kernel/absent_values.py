"""What exporting programs write where there is no value: nothing, SQL Server's NULL, PostgreSQL's \\N."""

WORDS_FOR_NOTHING = ("", "NULL", "null", "\\N")


def is_absent(text: str) -> bool:
    """Whether a text says that there is no value, whatever blanks stand around it."""
    return text.strip() in WORDS_FOR_NOTHING
