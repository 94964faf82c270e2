"""The compiled monthly step."""
