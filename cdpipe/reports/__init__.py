"""What a run says of itself: its report, its profile, its pictures."""
