"""A node that speaks devp2p, the Swarm overlay and pss."""

__version__ = "0.1.0"
