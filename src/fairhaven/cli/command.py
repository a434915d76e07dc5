"""A function that shows a typed result, as a command of the tree: each gets `--json`, and progress that ends with it."""

import inspect
from collections.abc import Callable
from typing import Any

from fairhaven.cli.arguments import AsJson, ending_with_modes
from fairhaven.cli.screen import Screen


def as_command(act: Callable[..., None]) -> Callable[..., None]:
    """The command of a function whose keyword `screen` is a `Screen` of its result; the others are its arguments."""
    signature = inspect.signature(act)
    arguments = [parameter for name, parameter in signature.parameters.items() if name != "screen"]
    as_json = inspect.Parameter("as_json", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False, annotation=AsJson)

    def command(*, as_json: bool, **given: Any) -> None:
        screen: Screen[Any] = Screen(as_json=as_json)
        try:
            with ending_with_modes():
                act(**given, screen=screen)
        except BaseException:
            screen.progress.close(is_done=False)
            raise

    # typer reads a command's form from these.
    command.__name__, command.__doc__ = act.__name__, act.__doc__
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*arguments, as_json)}
    command.__signature__ = signature.replace(parameters=[*arguments, as_json])  # type: ignore[attr-defined]
    command.__wrapped__ = act  # type: ignore[attr-defined]
    return command
