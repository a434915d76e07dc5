"""What each test costs: seconds of CPU, its own and those of the processes that it waited for.

CPU time, unlike that of a clock on the wall, is nearly the same on a machine that is busy with something else.
"""

import resource
import time
from collections import defaultdict
from collections.abc import Generator

import pytest

from tests.support.examples import is_trial

_PROPERTY = "cpu_seconds"

SHOWN = 20
FILES_SHOWN = 40
LIMIT = 10.0
"""Seconds that a test of the ordinary suite may take."""
SLACK = 3.0
"""A run fails beyond so many times the limit: caches that others use too make even CPU time grow."""
JOURNEYS = {
    "tests/docs/test_tutorial.py::test_the_tutorial_works_as_it_is_written": "a whole build, and a report",
    "tests/functional/test_killed.py::test_a_build_that_is_interrupted_and_then_killed_ends_as_if_undisturbed": "three builds, one of them whole",
    "tests/functional/test_killed.py::test_receiving_goes_on_while_a_build_runs_and_an_erasure_waits_for_both": "two builds, a month's deliveries and an erasure",
    "tests/journeys/test_commands.py::test_a_rebuild_from_nothing_has_the_same_content": "a whole build",
    "tests/journeys/test_commands.py::test_an_erased_person_leaves_no_trace": "an erasure from two releases",
    "tests/journeys/test_older_hub.py::test_a_person_is_erased_from_it_and_the_next_release_follows": "an erasure and a whole build",
}
"""Tests that may take longer, with the reason."""


def seconds() -> float:
    """CPU seconds of this process and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


class CostAccount:
    """A plugin of pytest that counts the phases of each test, prints the dearest, and fails a run with one far too dear."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._spent: dict[tuple[str, str], float] = {}
        self._too_dear: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count the setup."""
        return (yield from self._counted(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count the test itself."""
        return (yield from self._counted(item))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count what comes after."""
        return (yield from self._counted(item))

    def _counted(self, item: pytest.Item) -> Generator[None, object, object]:
        before = seconds()
        try:
            return (yield)
        finally:
            self._last[item.nodeid] = seconds() - before

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put it into the report, which comes to the process that prints wherever the test ran."""
        report = yield
        report.user_properties = [*report.user_properties, (_PROPERTY, self._last.pop(item.nodeid, 0.0))]
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """In the process that prints: note it."""
        for name, spent in report.user_properties:
            if name == _PROPERTY and isinstance(spent, float):
                self._spent[report.nodeid, str(report.when)] = spent
                is_ordinary = report.when == "call" and "slow" not in report.keywords and report.nodeid not in JOURNEYS
                if is_ordinary and spent > LIMIT * SLACK:
                    self._too_dear.append(
                        f"{report.nodeid} took {spent:.1f} s of CPU, {LIMIT:.0f} s are allowed: {__file__}"
                    )

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A test that is far too dear fails the run."""
        if not is_trial() and self._too_dear and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The dearest phases and files, dearest first, and the sum of all."""
        terminalreporter.section("seconds of CPU")
        for (test, phase), spent in sorted(self._spent.items(), key=lambda item: -item[1])[:SHOWN]:
            terminalreporter.line(f"{spent:7.2f} {phase:8} {test}")
        # What several tests share is paid for by whichever is first or last, so a file's sum is to be read with the phases above.
        files: defaultdict[str, float] = defaultdict(float)
        for (test, _), spent in self._spent.items():
            files[test.partition("::")[0]] += spent
        for file, spent in sorted(files.items(), key=lambda item: -item[1])[:FILES_SHOWN]:
            terminalreporter.line(f"{spent:7.2f} file     {file}")
        terminalreporter.line(f"{sum(self._spent.values()):7.2f} in all")
        for line in self._too_dear:
            terminalreporter.line(line, red=True)
