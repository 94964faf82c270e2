"""What was: published and fitted figures as parameter sets."""
