"""Logging set-up of the ``pss-node`` command."""

from __future__ import annotations

import logging
import sys

_LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, logging.NOTSET + 1)
FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def set_up_logging(verbosity: int, *, name: str = "") -> None:
    """Log to stderr.

    Args:
        verbosity: 0 critical, 1 error, 2 warning, 3 info, 4 debug, 5 everything.
        name: put in front of each line, for logs of several nodes read together.
    """
    logging.basicConfig(
        level=_LEVELS[verbosity], stream=sys.stderr, format=f"{name} {FORMAT}" if name else FORMAT, force=True
    )
    # The event loop's own debug lines say nothing about the protocols.
    logging.getLogger("asyncio").setLevel(max(_LEVELS[verbosity], logging.INFO))
