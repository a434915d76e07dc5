"""What the vocabulary that is loaded says of the targets of a hub's code maps."""

from contextlib import closing

from fairhaven.harmonise import contradictions, damaged_keys, target_warnings, vocabulary_tables
from fairhaven.journeys.model import Rooms
from fairhaven.journeys.store_files import check_vocabulary
from fairhaven.kernel.errors import Fault
from fairhaven.kernel.files import readers_scratch
from fairhaven.omop.vocabulary import Vocabulary


def code_map_warnings(rooms: Rooms) -> tuple[Fault, ...]:
    """Codes that two maps disagree on or that a spreadsheet damaged, and targets that are unknown, not standard or of another domain (of these none where there is no
    vocabulary yet).

    Raises:
        Invalid: the vocabulary is not as it was loaded.
    """
    disagreeing = (*contradictions(rooms.code_maps), *damaged_keys(rooms.code_maps))
    if not any(rooms.code_maps.values()) or not (rooms.store / "vocabulary" / "current.json").exists():
        return disagreeing
    vocabulary = Vocabulary.open(rooms.store / "vocabulary")
    check_vocabulary(rooms, vocabulary)
    rules = [rule for mapping in rooms.mappings.values() for rule in mapping.rules]
    with readers_scratch() as work, closing(rooms.new_engine(work)) as engine:
        return disagreeing + tuple(
            target_warnings(engine, vocabulary_tables(engine, vocabulary), rooms.code_maps, rules)
        )
