"""Settings of a project: targets, remedies, and which parameters are sizes."""
