"""The national Cohort Discovery wire: a worker that answers for a hub, and a server that other workers can join."""

from fairhaven.network.backoff import Backoff
from fairhaven.network.connection import Connection, Credentials, read_credentials
from fairhaven.network.distribution_tables import CATEGORIES, SEXES, CodeCount, CollectionAbout, Demographics
from fairhaven.network.ports import CountProvider
from fairhaven.network.result import ResultFile, TaskResult, TaskStatus
from fairhaven.network.task import AvailabilityTask, Distribution, DistributionTask, QueueKind
from fairhaven.network.worker import work
from fairhaven.network.worker_session import WorkerSummary

__all__ = [
    "CATEGORIES",
    "SEXES",
    "AvailabilityTask",
    "Backoff",
    "CodeCount",
    "CollectionAbout",
    "Connection",
    "CountProvider",
    "Credentials",
    "Demographics",
    "Distribution",
    "DistributionTask",
    "QueueKind",
    "ResultFile",
    "TaskResult",
    "TaskStatus",
    "WorkerSummary",
    "read_credentials",
    "work",
]
