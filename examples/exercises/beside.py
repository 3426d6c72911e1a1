"""Lets a solution import what the examples share: stage, board, pssnode."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
