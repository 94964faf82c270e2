"""What it means: measures, pictures, reports, files."""
