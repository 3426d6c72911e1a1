"""Keys, hashes and encryption: secp256k1, Keccak-256 and ECIES (spec 01 sections 2 and 3)."""
