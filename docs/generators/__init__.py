"""Documents that are made from the code: `make docs` writes them, a test holds each to what would be written."""
