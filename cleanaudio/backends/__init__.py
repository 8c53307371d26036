"""Cleaning methods behind one interface: the classical table, the neural ones, and the chain that runs them."""
