"""pss: encrypted messages relayed over the overlay (spec 06)."""
