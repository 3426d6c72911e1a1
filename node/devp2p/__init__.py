"""The devp2p base protocol: Hello, Disconnect, Ping, capabilities, typed protocols (spec 02)."""
