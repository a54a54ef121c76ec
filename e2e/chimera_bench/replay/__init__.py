"""Replays of recorded workflows."""
