"""The national Cohort Discovery wire: a worker that answers for a hub, and a server that other workers can join."""

from fairhaven.network.backoff import Pace
from fairhaven.network.connection import Connection, Credentials, read_credentials
from fairhaven.network.distribution_tables import CATEGORIES, SEXES, About, CodeCount, Demographics
from fairhaven.network.ports import Answers
from fairhaven.network.result import Result, ResultFile, Status
from fairhaven.network.task import AvailabilityTask, Distribution, DistributionTask, Queue
from fairhaven.network.worker import work
from fairhaven.network.worker_session import Summary

__all__ = [
    "CATEGORIES",
    "SEXES",
    "About",
    "Answers",
    "AvailabilityTask",
    "CodeCount",
    "Connection",
    "Credentials",
    "Demographics",
    "Distribution",
    "DistributionTask",
    "Pace",
    "Queue",
    "Result",
    "ResultFile",
    "Status",
    "Summary",
    "read_credentials",
    "work",
]
