"""The Swarm overlay: bzz handshake, hive discovery, kademlia (spec 05)."""
