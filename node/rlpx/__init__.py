"""RLPx: encrypted, authenticated frames over TCP (spec 01)."""
