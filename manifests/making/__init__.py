"""What `generate.py` writes, where no room of the tree makes it."""
