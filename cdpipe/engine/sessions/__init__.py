"""Sessions: threads of this process, a local cluster, or a scheduler that is already running."""
