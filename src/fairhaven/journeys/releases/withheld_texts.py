"""What `check` says of texts that a release leaves out, though a rule puts them into a row."""

from collections.abc import Mapping

from fairhaven.harmonise import MappingFile, withheld_texts
from fairhaven.intake import Source
from fairhaven.kernel.errors import Fault


def withheld_text_warnings(sources: Mapping[str, Source], mappings: Mapping[str, MappingFile]) -> tuple[Fault, ...]:
    """Rules whose texts are of no list as far as anybody said; each once, whichever sources use its file."""
    found = dict[str, Fault]()
    for source in sources.values():
        texts = {
            name: frozenset(column.name for column in table.columns if column.type == "text")
            for name, table in source.tables.items()
        }
        for mapping in source.mapping:
            if mapping in mappings:
                found |= {str(fault): fault for fault in withheld_texts(mappings[mapping].rules, texts)}
    return tuple(found.values())
