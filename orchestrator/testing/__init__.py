"""Labs in pytest: fixtures and reports (:mod:`.plugin`), what tests wait for (:mod:`.expect`). See docs/testing.md."""
