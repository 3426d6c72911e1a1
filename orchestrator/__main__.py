"""The ``lab`` command; also ``python -m orchestrator``."""

from __future__ import annotations

import os

# gRPC's C core writes its own lines to stderr; it reads this once, when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")


def main() -> None:
    """Run the command line; does not return."""
    from orchestrator.cli.app import lab

    lab(prog_name="lab")


if __name__ == "__main__":
    main()
