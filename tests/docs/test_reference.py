"""What the documents list is what there is."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_every_link_between_the_pages_leads_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in (*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "DEVELOPERS.md")
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text(encoding="utf-8"))
        if not (path.parent / target).exists()
    ]
    assert broken == []


def test_every_decision_has_a_number_of_its_own_and_says_it() -> None:
    decisions = sorted((DOCS / "adr").glob("[0-9]*.md"))
    assert [path.name[:4] for path in decisions] == [f"{number:04d}" for number in range(1, len(decisions) + 1)]
    said = [path.read_text(encoding="utf-8").partition("\n")[0] for path in decisions]
    assert [line for number, line in enumerate(said, 1) if not line.startswith(f"# {number}. ")] == []


def test_every_setting_of_a_hub_is_in_its_commented_file() -> None:
    text = (ROOT / "src" / "fairhaven" / "hub" / "new" / "hub.toml").read_text(encoding="utf-8")
    settings = re.findall(
        r'(?:root|opt_out)\.(?:text|whole|yes|number)\("(\w+)"', (ROOT / "src/fairhaven/hub/hub_files.py").read_text()
    )
    of_other_files = ("organisation",)
    hub_settings = set(settings).difference(of_other_files)
    assert hub_settings
    assert not {name for name in hub_settings if not re.search(rf"^{name} = ", text, re.MULTILINE)}


def test_every_page_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    unlisted = [
        str(path.relative_to(ROOT))
        for path in DOCS.rglob("*.md")
        if path.parent.name != "adr" and str(path.relative_to(ROOT)) not in text
    ]
    assert unlisted == []
