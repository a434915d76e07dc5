"""`python -m fairhaven.cli`."""

from fairhaven.cli import main

if __name__ == "__main__":
    main()
