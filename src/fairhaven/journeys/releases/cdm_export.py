"""A release as an OMOP CDM database of its own, with its vocabulary."""

from fairhaven.archive import Release
from fairhaven.archive.export import Format
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.open_release import vocabulary_of
from fairhaven.kernel.outputs import Output
from fairhaven.kernel.progress import Progress
from fairhaven.omop.cdm import VOCABULARY_TABLES


def export_release(rooms: Rooms, name: str | None, *, out: Output, form: Format, progress: Progress) -> Release:
    """Write a release as a CDM database with the vocabulary it was made with; returns the release."""
    release = rooms.archive.release(name)
    vocabulary = vocabulary_of(rooms, release)
    rooms.archive.check_chain()
    rooms.archive.check_rows(release)
    rooms.archive.export(
        release,
        out,
        format=form,
        vocabulary_files={table: vocabulary.files(table) for table in VOCABULARY_TABLES},
        progress=progress,
    )
    return release
