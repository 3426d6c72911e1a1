"""The ``lab`` command line, over :class:`orchestrator.lab.Lab`; described for its users in docs/cli.md.

Modules import click and the standard library only; what costs time (gRPC, Docker, rich, networkx) is imported by the
command that needs it, so that ``lab --help`` is there at once.
"""
