"""The demo: a drawn world, and the programs that draw it and train the small models that know it."""
