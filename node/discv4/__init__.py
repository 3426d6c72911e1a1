"""Node discovery v4 over UDP (spec 04)."""
