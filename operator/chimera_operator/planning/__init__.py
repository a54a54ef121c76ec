"""From what was observed and what is wished to what is to be done: rollout, placement, scaling, status. Pure."""
