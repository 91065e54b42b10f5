"""The demo: a drawn world, and the programs that draw it and train its small models."""
