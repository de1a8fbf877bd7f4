"""What asv has measured: its files read, and brought together by stage."""
