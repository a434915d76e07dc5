"""From a task to its result: asks who counts, and turns a refusal into an error result that reveals nothing."""

from fairhaven.kernel.errors import Invalid, NotAllowedNow, NotFound, Refused
from fairhaven.kernel.interruption import is_interruption
from fairhaven.network.distribution_tables import CollectionAbout, code_result, demographics_result
from fairhaven.network.ports import CountProvider
from fairhaven.network.result import TaskResult, failed
from fairhaven.network.task import AvailabilityTask, Distribution, DistributionTask, Task

NOT_SUPPORTED = "the question cannot be read, or asks for what this hub does not support"
NOT_ANSWERED = "this question is not answered"
NO_ANSWER = "the question could not be answered"


class AnswerDeferred(NotAllowedNow):
    """No answer for now; the task is kept. The message is for the hub, not for the server."""


def reply(task: Task, answers: CountProvider, about: CollectionAbout) -> TaskResult:
    """The result of a task.

    Raises:
        AnswerDeferred: whoever counts cannot do it now, or failed.
    """
    try:
        match task:
            case AvailabilityTask():
                count = answers.availability(task.query, task=task)
                return TaskResult(uuid=task.uuid, collection=task.collection, count=count)
            case DistributionTask(code=Distribution.GENERIC):
                return code_result(task, answers.code_distribution(task=task), about)
            case DistributionTask():
                return demographics_result(task, answers.demographics(task=task))
    except Exception as error:
        # First, because a refusal may be made of an interruption as well.
        if is_interruption(error):
            raise KeyboardInterrupt from error
        match error:
            case Invalid():
                return failed(uuid=task.uuid, collection=task.collection, message=NOT_SUPPORTED)
            case NotAllowedNow() | NotFound():
                # A release that is being built, or was withdrawn under the question, is followed by another.
                raise AnswerDeferred(str(error)) from None
            case Refused():
                return failed(uuid=task.uuid, collection=task.collection, message=NOT_ANSWERED)
        # One task's fault must not end the worker: the task is tried again, then given up.
        # Only the kind of error is named: its text and its frames may hold values.
        raise AnswerDeferred(f"answering failed ({type(error).__name__})") from None
