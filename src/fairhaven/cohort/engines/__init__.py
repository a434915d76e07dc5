"""Two ways of finding the persons of a cohort: one relational program for a batch, and bitmaps for a single question."""
