"""The p2p server: listening, dialing, admitting peers and running protocols on them (spec 02)."""
