"""Results of asv: its files, read and brought together by stage."""
