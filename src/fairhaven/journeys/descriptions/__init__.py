"""What is made beside a release from its rows, and can be made again: its description, its discovery index."""
