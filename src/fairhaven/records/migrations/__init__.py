"""The revisions of the database's tables, one after another: each says how it is done and how it is undone."""
