"""gRPC control of a node: the contract the orchestrator relies on."""
