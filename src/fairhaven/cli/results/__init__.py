"""What each command gives with `--json`: types of this package, and of the rooms where their own result is the right form.

The page `docs/reference/json.md` is made from these types and their docstrings. Loaded when a command runs, because they
name types of every room.
"""

from fairhaven.cli.results.cohorts import (
    AnsweredQuestions,
    CohortAttritions,
    CohortCounts,
    CohortRow,
    ExplainedCohort,
    GeneratedFile,
    GeneratedRows,
    QuestionBudget,
)
from fairhaven.cli.results.hubs import CheckedHub, Demonstrated, LoadedVocabulary, NewHub
from fairhaven.cli.results.network import JoinedCollection, LeftCollection, QuestionReply, ServedNetwork
from fairhaven.cli.results.quality import QualityFindings
from fairhaven.cli.results.releases import (
    BuiltRelease,
    ComparedReleases,
    ExportedRelease,
    ListedRelease,
    ShownRelease,
    VerifiedReleases,
    WrittenReport,
)
from fairhaven.intake import Receipt
from fairhaven.journeys.network.serve import NetworkQuestion as AskedQuestion
from fairhaven.journeys.persons.erase import ErasurePlan as ErasurePlan
from fairhaven.journeys.recovery import Erased
from fairhaven.journeys.releases.build_plan import BuildPlan as BuildPlan
from fairhaven.journeys.releases.trace_row import Trace
from fairhaven.linkage import Trial
from fairhaven.network import WorkerSummary

__all__ = [
    "AnsweredQuestions",
    "AskedQuestion",
    "BuildPlan",
    "BuiltRelease",
    "CheckedHub",
    "CohortAttritions",
    "CohortCounts",
    "CohortRow",
    "ComparedReleases",
    "Demonstrated",
    "Erased",
    "ErasurePlan",
    "ExplainedCohort",
    "ExportedRelease",
    "GeneratedFile",
    "GeneratedRows",
    "JoinedCollection",
    "LeftCollection",
    "ListedRelease",
    "LoadedVocabulary",
    "NewHub",
    "QualityFindings",
    "QuestionBudget",
    "QuestionReply",
    "Receipt",
    "ServedNetwork",
    "ShownRelease",
    "Trace",
    "Trial",
    "VerifiedReleases",
    "WorkerSummary",
    "WrittenReport",
]
