"""The lab: nodes in containers or processes, their networks and their checks."""

import os

# gRPC's C core writes lines of its own to stderr when a call is given up, as happens whenever a lab goes down. It reads
# this once, when it is imported: so before that, for the command, for pytest and for scripts alike.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
