"""Recording: what each thread does and each task took, told by the processes of a run."""
