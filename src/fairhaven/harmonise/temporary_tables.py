"""Keeping rows for later expressions, with the types they had."""

import ibis.expr.types as ir

from fairhaven.engine import Engine


def kept(engine: Engine, rows: ir.Table) -> ir.Table:
    """Run *rows* once. An engine may store a whole-number literal in a narrower type than Ibis says; this undoes it."""
    return engine.keep(rows).cast(rows.schema())
