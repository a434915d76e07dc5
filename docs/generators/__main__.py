"""Writes every document that is made from the code: `python -m docs.generators`."""

from docs.generators.documents import DOCUMENTS

for document in DOCUMENTS:
    document.path.parent.mkdir(parents=True, exist_ok=True)
    document.path.write_text(document.text(), encoding="utf-8")
