"""The command line: Typer wiring, one module a command, no signal processing."""
