"""How many files this process may hold open: the usual limit is one that systems keep for programs of long ago."""

import resource


def allow_open_files(wanted: int | None = None) -> int:
    """Raise the limit of open files as far as is wanted, and may be; None wants all that may be.

    Returns:
        how many files may be open now; no less than *wanted* where there is no limit.
    """
    usual, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in (usual, most):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        return wanted or usual
    allowed = most if wanted is None else max(usual, min(wanted, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
    return allowed
