"""Projects that may ask for counts: opened by name once, for an organisation, and known by that name however it is spelled."""

import json
import re

from fairhaven.journeys.hub_audit import take_in_earlier_answers
from fairhaven.journeys.model import Project, Rooms
from fairhaven.kernel.errors import Fault, Invalid, NotAllowedNow, NotFound
from fairhaven.kernel.files import make_folder, write_atomically
from fairhaven.ledger import Actor, EventKind
from fairhaven.query_audit import THE_HUB, TOLD, Asker, folded, why_mistaken

_LONGEST = 100
_LONGEST_FILE = 200
"""Bytes of the name of a project's file: file systems take 255, and a file that is not finished has a longer one."""
_TEXT = """\
# A project that may ask for counts, as `fairhaven project open` wrote it. The ledger has it too, so another name or organisation
# written here is refused. Take this file away and the project asks no more; what it was answered stays known.
name = {}
organisation = {}
"""


def open_project(rooms: Rooms, name: str, *, organisation: str, by: Actor) -> Project:
    """Let a project ask for counts, for ever on behalf of one organisation; opened again, it is as it was.

    What the query audit answered to any spelling of these names, before projects were opened, counts as answered to it.

    Raises:
        Invalid: a name is empty, too long, holds what cannot be read or seen, or mixes scripts that look alike.
        NotAllowedNow: the project is another organisation's, or its file another project's.
    """
    project = Project(
        name=_checked(name, "the project's name"), organisation=_checked(organisation, "the organisation")
    )
    stem = _file_name(project.name)
    if len(stem.encode()) > _LONGEST_FILE:
        raise Invalid(
            f"the project's name makes a file name of {len(stem.encode())} bytes, and a file system takes {_LONGEST_FILE} of it, so nothing "
            "was opened. Give the project a shorter name; a letter that is not of A to Z takes two to four bytes."
        )
    path = rooms.folder / "projects" / f"{stem}.toml"
    asker = Asker(project=project.name, organisation=project.organisation)
    if asker.project in (TOLD, THE_HUB.project):
        raise NotAllowedNow(f"{project.name} is what the query audit calls its own; give the project another name.")
    opened = [each for name, each in _entered(rooms) if folded(name) == asker.project]
    belongs_to = folded(opened[0]) if opened else asker.organisation
    if belongs_to != asker.organisation:
        raise NotAllowedNow(
            f"the project {project.name} was opened for the organisation {belongs_to}, whose answers it has; nothing was changed. "
            "A project of another organisation needs another name."
        )
    if path.exists() and asker.project not in rooms.projects:
        raise NotAllowedNow(f"{path} is another project's; nothing was changed. Give this one another name.")
    known = rooms.projects.get(asker.project)
    if known is not None and folded(known.organisation) == asker.organisation:
        project = known
    else:
        make_folder(path.parent)
        said = (json.dumps(value, ensure_ascii=False) for value in (project.name, project.organisation))
        write_atomically(path, _TEXT.format(*said))
    take_in_earlier_answers(rooms, asker)
    # Last: what a killed command left is no project yet, and is one when the command is run again.
    rooms.ledger.append_once(EventKind.PROJECT, {"project": asker.project, "organisation": asker.organisation}, by=by)
    return project


def asker_of(rooms: Rooms, name: str) -> Asker:
    """On whose behalf a project asks.

    Raises:
        NotFound: no such project was opened.
        Invalid: its file says other than the ledger.
    """
    project = rooms.projects.get(folded(name))
    if project is None:
        known = ", ".join(sorted(each.name for each in rooms.projects.values())) or "none"
        raise NotFound(
            f"there is no project {name!r} (open: {known}), so nothing was counted. Open it with `fairhaven project open "
            f"{rooms.folder} NAME --organisation O`; what that name was answered before stays known."
        )
    asker = Asker(project=project.name, organisation=project.organisation)
    entered = _entered(rooms)
    first = next((folded(each) for name, each in entered if folded(name) == asker.project), None)
    # Opened before names were folded as they are now, it is opened again: that takes in what other spellings were answered.
    if first != asker.organisation or (asker.project, asker.organisation) not in entered:
        raise Invalid(
            Fault(
                path=f"projects/{_file_name(project.name)}.toml",
                message="is not as `fairhaven project open` wrote it, by the ledger; open the project with that command",
            )
        )
    return asker


def _entered(rooms: Rooms) -> list[tuple[str, str]]:
    """Project and organisation, as they are entered in the ledger, in order."""
    return [
        (entry.facts["project"], entry.facts["organisation"]) for entry in rooms.ledger.entries_of(EventKind.PROJECT)
    ]


def _checked(name: str, what: str) -> str:
    name = " ".join(name.split())
    if not folded(name) or len(name) > _LONGEST or not name.isprintable():
        raise Invalid(
            f"{what} is empty, longer than {_LONGEST} characters, or holds what cannot be read: {name[:_LONGEST]!r}"
        )
    if why := why_mistaken(name):
        raise Invalid(
            f"{what} {why}, so that people could take it for another's: {name!a}. Nothing was opened; write it without them."
        )
    return name


def _file_name(name: str) -> str:
    return re.sub(r"\W+", "-", folded(name)).strip("-") or "project"
