"""One revision a module, ``revision_NNNN_what_it_does``: ``upgrade`` and ``downgrade`` in Alembic's operations, on both databases."""
