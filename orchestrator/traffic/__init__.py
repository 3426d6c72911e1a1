"""The `traffic:` of a lab file: messages sent at their times while `lab play` plays its faults."""
