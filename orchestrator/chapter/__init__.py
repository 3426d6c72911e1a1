"""The examples of the tutorial, each actor in a container of its own."""
