"""Measurements of the node and of whole labs; see README.md."""
