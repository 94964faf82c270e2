"""What could be: loans, month by month, on many paths."""
