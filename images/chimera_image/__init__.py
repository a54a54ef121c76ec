"""Runs inside the build of an image, with the standard library alone: installs, compiles and lists what is in it."""
