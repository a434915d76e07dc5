"""Accounts of the machine, as people call them."""

import pwd


def account_name(number: int) -> str:
    """The name of an account, or its number where it has none, as in a container."""
    try:
        return pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        return f"uid {number}"
