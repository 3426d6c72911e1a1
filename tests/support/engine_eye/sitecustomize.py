"""Python imports this at its start where this folder is on PYTHONPATH: for commands that a test runs."""

import os
from pathlib import Path

from docker import APIClient
from engine_eye import DIRECTORY_VARIABLE, hooks

for name, method in hooks(Path(os.environ[DIRECTORY_VARIABLE])).items():
    setattr(APIClient, name, method)
