"""Loan files to a typed, reconciled tape."""
