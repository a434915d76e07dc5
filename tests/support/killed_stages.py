"""A small hub at every stage of its life, each made once a run: before a command, and what the command made of it."""

import json
import pickle
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.demonstration import made_once
from tests.support.killed_hub import EXPORTED, Commands, Ended, copied, outcome


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A hub before a command and after it, and what it holds when the command has run undisturbed; copy both hubs."""

    before: Path
    command: tuple[Any, ...]
    hub: Path
    undisturbed: Ended
    after: dict[str, Any]


FEW = ("national_opt_out", "gp_riverside", "registrar_deaths")
"""Sources of a hub that is quick to build: what a build costs goes with the number of mapping rules."""


class Region:
    """The stages, in a *folder* that all processes of the run see; of all sources of the region or of some."""

    def __init__(self, folder: Path, processes: Callable[[], Commands], *, sources: Collection[str] = ()) -> None:
        self._folder = folder
        self._processes = processes
        self._sources = sources
        folder.mkdir(exist_ok=True)

    @property
    def processes(self) -> Commands:
        """The forking process, started when it is first needed."""
        return self._processes()

    def stage(self, name: str) -> Stage:
        """The stage of a name: receive, build, rebuild, erase, rotate, export duckdb, export parquet."""
        before, command = self._before(name)

        def make(folder: Path) -> None:
            folder.mkdir()
            hub = copied(before, folder / "hub")
            found = self._run(hub, *command), outcome(hub)
            (folder / "outcome").write_bytes(pickle.dumps(found))

        made = made_once(self._folder / name, make)
        undisturbed, after = pickle.loads((made / "outcome").read_bytes())
        return Stage(before=before, command=command, hub=made / "hub", undisturbed=undisturbed, after=after)

    def _before(self, name: str) -> tuple[Path, tuple[Any, ...]]:
        match name:
            case "receive":
                return made_once(self._folder / "start", self._begin), ("receive", 0)
            case "build":
                return self.stage("receive").hub, ("build",)
            case "rebuild":
                built = self.stage("build")
                return made_once(self._folder / "changed", lambda hub: self._change(copied(built.hub, hub))), ("build",)
            case "erase":
                built = self.stage("build")
                return built.hub, ("erase", built.after["index"][0]["person_id"])
            case "rotate":
                return self.stage("build").hub, ("rotate",)
            case "export duckdb" | "export parquet":
                form = name.removeprefix("export ")
                words = ("export", ".", "--format", form, "--out", f"{EXPORTED}/cdm.{form}")
                return self.stage("build").hub, ("run", *words)
        raise AssertionError(name)

    def _begin(self, hub: Path) -> None:
        self._run(hub, "prepare")
        if self._sources:
            for path in (hub / "sources").glob("*.toml"):
                if path.stem not in self._sources:
                    path.unlink()
            months = json.loads((hub / "months.json").read_text())
            kept = [[day, [each for each in delivered if each[0] in self._sources]] for day, delivered in months]
            (hub / "months.json").write_text(json.dumps(kept))

    def _change(self, hub: Path) -> None:
        self._run(hub, "receive", 1)
        # Another declaration lands every extract of this source again.
        path = hub / "sources/gp_riverside.toml"
        declared = path.read_text()
        path.write_text(declared.replace('unit = "text"\n', 'unit = { type = "text", optional = true }\n'))
        assert path.read_text() != declared

    def _run(self, folder: Path, *command: Any) -> Ended:
        ended = self.processes.run(folder, *command)
        assert ended.code == 0, ended.said
        return ended
