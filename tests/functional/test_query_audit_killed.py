"""A process that is killed while it answers: what it answered is recorded."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from pyroaring import BitMap

from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.query_audit import Asker, QueryAudit, rules_named

# No machine is so quick that it spends this budget before it is killed.
_RULES = replace(rules_named("standard"), budget=10_000_000)
_ASKING = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from pyroaring import BitMap
from fairhaven.hub.disclosure_policies import policy_named
from fairhaven.query_audit import Asker, QueryAudit, rules_named

draw = np.random.default_rng(int(sys.argv[2]))
rules = replace(rules_named("standard"), budget=10_000_000)
with QueryAudit(Path(sys.argv[1]), policy_named("hdr-uk"), rules) as audit:
    while True:
        start = int(draw.integers(0, 1_000))
        decision = audit.ask(BitMap(range(start, start + 300)), asker=Asker(project="killed"), release="r1")
        print(start, decision.count.value if decision.count else None, flush=True)
"""


def test_no_answer_is_given_that_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "audit.sqlite"
    with QueryAudit(path, policy_named("hdr-uk"), _RULES) as audit:
        audit.add_release("r1", np.arange(2_000, dtype=np.int64))
    given: list[tuple[int, str]] = []
    for trial in range(4):
        asking = subprocess.Popen(
            [sys.executable, "-c", _ASKING, str(path), str(trial)], stdout=subprocess.PIPE, text=True
        )
        assert asking.stdout is not None
        first = asking.stdout.readline()
        time.sleep(0.05 + 0.07 * trial)
        os.kill(asking.pid, signal.SIGKILL)
        rest = asking.stdout.read()
        asking.wait()
        asking.stdout.close()
        lines = [line for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]
        given += [(int(line.split()[0]), line.split()[1]) for line in lines]
    with QueryAudit(path, policy_named("hdr-uk"), _RULES) as audit:
        spent = audit.budget("killed").spent
        assert len(given) <= spent <= len(given) + 4  # one question of each trial may be recorded and not given
        for start, value in given[:: max(1, len(given) // 60)]:  # some of every trial
            again = audit.ask(BitMap(range(start, start + 300)), asker=Asker(project="killed"), release="r1")
            assert str(again.count.value if again.count else None) == value
