"""Unit tests of node.swarm."""
