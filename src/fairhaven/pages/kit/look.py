"""The look of every page: one sheet of styles, which a file carries within, and the policy that lets no other in."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """The sheet, and the content security policy of a file that carries it."""

    sheet: Markup
    policy: str


@cache
def look() -> Look:
    """The one look."""
    sheet = files("fairhaven.pages.kit").joinpath("look.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return Look(sheet=Markup(sheet), policy=policy)
