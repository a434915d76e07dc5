"""Figures of a table beside the number of all persons of the release, which stands on the same page and in the same file.

Who sees that 1,078 of 1,082 persons have an observation period knows of four that they have none. So of two exact counts
that lie so close only that of all persons is shown, and nothing from which the other could be added up.
"""

from dataclasses import replace

from fairhaven.disclosure import Policy, lacks_few
from fairhaven.release.description import TableDescription, Variable


def beside_all(table: TableDescription, everybody: int | None, policy: Policy) -> TableDescription:
    """A table's figures as they may stand beside the number of all persons; all that tell how few are left are withheld.

    Args:
        everybody: persons of the release, None where that is not shown.
    """
    if table.name == "person":  # a partition of everybody, protected as such
        return table
    if table.rows is not None and lacks_few(table.rows, everybody, policy):
        # Every distribution adds up to the rows, so none is left.
        variables = tuple(_withheld(variable) for variable in table.variables)
        return replace(table, rows=None, persons=None, variables=variables, is_whole=False)
    is_close = table.persons is not None and lacks_few(table.persons, everybody, policy)
    persons = None if is_close else table.persons
    made = replace(
        table,
        persons=persons,
        variables=tuple(
            _withheld(variable)
            if _tells(variable, table.rows, everybody, policy) or _tells(variable, table.rows, persons, policy)
            else variable
            for variable in table.variables
        ),
    )
    return made if made == table else replace(made, is_whole=False)


def _tells(variable: Variable, rows: int | None, whole: int | None, policy: Policy) -> bool:
    """True where a bar, all bars together or the filled rows are of nearly all persons."""
    counts = [count for bar in variable.bars for count in (bar.rows, bar.persons) if count is not None]
    persons = [bar.persons for bar in variable.bars]
    counts.append(sum(count for count in persons if count is not None))  # so many at most, if all values are shown
    if rows is not None and variable.missing is not None:
        counts.append(rows - variable.missing)
    return any(lacks_few(count, whole, policy) for count in counts)


def _withheld(variable: Variable) -> Variable:
    return replace(variable, missing=None, missing_share=None, bars=(), others=None)
