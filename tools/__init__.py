"""What is used to work on this project and is no part of it."""
