"""What stands in the place of a text that does not land or is not released."""

FREE_TEXT = "[withheld until de-identified]"
"""In the place of free text: there was some."""

MARK = "[withheld "
"""What stands in the place of a text that holds an identifier begins so, with a keyed digest behind it. `FREE_TEXT` begins so too."""

NUMBER = r"^[<>=~ ]*[-+]?[0-9]{1,9}([.,][0-9]{1,9})?$"
"""A text that is a measured number is no free text; an NHS number is too long for it."""
