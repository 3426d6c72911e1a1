"""Recursive length prefix: the codec and typed structures on top (spec 01 section 1)."""
