"""Memory of this process, as the operating system sees it."""

from __future__ import annotations

import sys


def peak_rss_bytes() -> int | None:
    """Largest resident set of this process so far, in bytes; None where unknown.

    For information only: allocators keep freed memory, so it can't tell a method
    that needs little from one that needs much.
    """
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
