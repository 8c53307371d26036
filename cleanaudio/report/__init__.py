"""What is said about the results: the quality gate, pictures and pages."""
