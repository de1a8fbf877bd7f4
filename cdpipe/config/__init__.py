"""One frozen, typed configuration of a run: its model, its file, its messages and its commented template."""
