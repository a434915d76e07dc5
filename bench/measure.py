"""What benches measure with: CPU-seconds by stage, peak memory, a fresh process."""

import pickle
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def in_fresh_process(work: Callable[..., T], *arguments: object) -> T:
    """Run a module's function in a process of its own, so that neither its memory nor its start-up is another's.

    Not by `multiprocessing`: DuckDB takes a spawned process for somebody's prompt and draws progress bars.
    """
    module = work.__module__
    if module == "__main__" and (spec := sys.modules[module].__spec__) is not None:
        module = spec.name
    with tempfile.TemporaryDirectory() as folder:
        task, result = Path(folder) / "task", Path(folder) / "result"
        task.write_bytes(pickle.dumps((module, work.__name__, arguments)))
        subprocess.run([sys.executable, "-m", "bench.measure", task, result], check=True)
        returned: T = pickle.loads(result.read_bytes())
    return returned


def peak_mb() -> float:
    """The most memory that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def size_mb(folder: Path) -> float:
    """The bytes of all files below a folder, in MB."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


class Clock:
    """Progress that keeps the CPU-seconds of each stage, those of all threads together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage = "start"
        self._began = time.process_time()

    def stage(self, title: str) -> None:
        """A stage ends and the next begins."""
        now = time.process_time()
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._began
        self._stage, self._began = title, now

    def advance(self, done: int, total: int, unit: str) -> None:
        """Nothing is drawn."""

    def note(self, message: str) -> None:
        """Nothing is said."""

    def stop(self) -> dict[str, float]:
        """CPU-seconds by stage, in the order of the stages."""
        self.stage("")
        return self.seconds


def _run(task: Path, result: Path) -> None:
    module, name, arguments = pickle.loads(task.read_bytes())
    result.write_bytes(pickle.dumps(getattr(import_module(module), name)(*arguments)))


if __name__ == "__main__":
    _run(Path(sys.argv[1]), Path(sys.argv[2]))
