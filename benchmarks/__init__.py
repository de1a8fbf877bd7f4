"""The asv suite: a module a stage, sizes from one table (`_sizes`), inputs from one frozen generator (`_messages`)."""
