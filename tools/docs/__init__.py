"""How the documentation is made: figures, checked excerpts and outputs, the site, the printed handout."""
