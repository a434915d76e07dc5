"""How many figures the demonstration's report and description show, by an earlier commit and by this code.

    python -m bench.shown_figures [COMMIT] [--persons 1130]

Protection that hides more than it has to makes a page useless; so what is shown is counted beside what was shown before. Each code
makes the demonstration hub whole, from a checkout of its own. A figure of the report is a number in its text (of a
drawing, in its titles); one of the description is a number that is not null.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

from bench.earlier import ROOT, check_out

BAR = 0.9
"""The part of the figures that is to stay."""
_NUMBER = re.compile(r"(?<![\w.,#-])\d[\d,]*(?:\.\d+)?")


class _Words(HTMLParser):
    """The text of a page, without its style."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._is_style = False

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self._is_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._is_style = self._is_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if not self._is_style:
            self.words.append(data)


def of_page(html: str) -> int:
    """Numbers in the text of a page."""
    page = _Words()
    page.feed(html)
    return sum(len(_NUMBER.findall(words)) for words in page.words)


def of_description(found: object) -> int:
    """Numbers in a description, in all its parts."""
    match found:
        case bool():
            return 0
        case int() | float():
            return 1
        case dict():
            return sum(of_description(part) for part in found.values())
        case list():
            return sum(of_description(part) for part in found)
    return 0


def shown(checkout: Path, hub: Path, persons: int) -> tuple[int, int]:
    """Figures of the report and of the description of the demonstration's latest release."""
    subprocess.run(
        [sys.executable, "-m", "fairhaven.cli", "demo", hub, "--persons", str(persons), "--no-serve"],
        check=True,
        cwd=checkout,
        env={"PYTHONPATH": str(checkout / "src")},
        stdout=subprocess.DEVNULL,
    )
    latest = max(hub.glob("store/**/description.json"))
    return of_page((hub / "report.html").read_text()), of_description(json.loads(latest.read_text()))


def main() -> None:
    """Run the bench and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", nargs="?", default="899b4d3", help="the earlier code")
    parser.add_argument("--persons", type=int, default=1130)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        earlier = shown(check_out(arguments.commit, work / "earlier"), work / "earlier-hub", arguments.persons)
        now = shown(ROOT, work / "now-hub", arguments.persons)
    print(f"| figures shown, {arguments.persons:,} persons of the region | {arguments.commit} | now | share | bar |")
    print("|---|---|---|---|---|")
    for name, before, after in zip(("report.html", "description.json"), earlier, now, strict=True):
        print(f"| {name} | {before:,} | {after:,} | {after / before:.2f} | {BAR} |")


if __name__ == "__main__":
    main()
