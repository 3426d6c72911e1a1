"""The `verify:` of a lab file: what a running lab is checked for (`lab verify`)."""
