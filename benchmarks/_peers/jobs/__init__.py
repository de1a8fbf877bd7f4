"""The whole job, file to file, as processes: programs of the peers, ours, and how they are run and judged."""
