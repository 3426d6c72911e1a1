"""The ``lab`` command; also ``python -m orchestrator``."""

from __future__ import annotations


def main() -> None:
    """Run the command line; does not return."""
    from orchestrator.cli.app import lab

    lab(prog_name="lab")


if __name__ == "__main__":
    main()
