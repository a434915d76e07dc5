"""Direct identifiers by their values: how they are spelled in texts, what is kept of them to know them by, and which texts hold one."""
