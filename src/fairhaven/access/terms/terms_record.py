"""Terms as a record keeps them, and what is read of a record that another version of Fairhaven wrote."""

from dataclasses import dataclass
from typing import Self

from pydantic import ValidationError

from fairhaven.access.terms.model import DataController, Terms


@dataclass(frozen=True, kw_only=True, slots=True)
class TermsInForce:
    """What a decision has of one controller's terms.

    Args:
        controller: None where they are not wholly understood: nothing of them permits anything then.
        unknown: places of what is not understood; empty where all is.
    """

    controller: DataController | None
    unknown: tuple[str, ...] = ()

    @classmethod
    def of(cls, record: bytes) -> Self:
        """What a record says. A word, a field or a form that this version does not know makes all of it unknown."""
        try:
            return cls(controller=DataController.model_validate_json(record, strict=True))
        except ValidationError as error:
            places = [".".join(map(str, each["loc"])) for each in error.errors(include_url=False, include_input=False)]
            return cls(controller=None, unknown=tuple(place or "the whole record" for place in places))

    def terms_for(self, dataset: str) -> Terms | None:
        """The terms that hold for a dataset; None where there are none, or they are not understood: nobody but the hub reads it."""
        return self.controller.terms_for(dataset) if self.controller is not None else None


def recorded(controller: DataController) -> bytes:
    """A controller's terms as a record keeps them: JSON, with what was not said as it was meant on that day."""
    return controller.model_dump_json().encode()
