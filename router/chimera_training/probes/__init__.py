"""Questions with known answers, made by a program from a seed: a pool's models answer them to calibrate a bundle."""
