"""Live streaming: pipes, devices, and the simulation of both."""
