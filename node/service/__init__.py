"""The service node: services that bring protocols and APIs (spec 03 part II)."""
