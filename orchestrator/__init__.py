"""The lab: nodes in containers or processes, their networks and their checks."""
