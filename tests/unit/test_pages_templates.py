"""Templates of pages are compiled once, where Python keeps what it compiles, and where nothing may be kept they are compiled each time."""

from pathlib import Path

from jinja2 import DictLoader, Environment

from fairhaven.pages.kit.templates import Compiled


def test_a_template_is_kept_compiled_until_it_changes_and_what_cannot_be_kept_is_made_again(tmp_path: Path) -> None:
    def rendered(folder: Path, text: str) -> str:
        made = Environment(
            loader=DictLoader({"page": text}), autoescape=True, bytecode_cache=Compiled(str(folder), "%s.of")
        )
        return made.get_template("page").render(name="<b>")

    assert rendered(tmp_path, "of {{ name }}") == "of &lt;b&gt;"
    (kept,) = tmp_path.iterdir()
    before = kept.read_bytes()
    assert rendered(tmp_path, "of {{ name }}") == "of &lt;b&gt;"
    assert kept.read_bytes() == before
    assert rendered(tmp_path, "by {{ name }}") == "by &lt;b&gt;"
    kept.write_bytes(before[:50])
    assert rendered(tmp_path, "of {{ name }}") == "of &lt;b&gt;"
    assert rendered(tmp_path / "not there", "of {{ name }}") == "of &lt;b&gt;"
