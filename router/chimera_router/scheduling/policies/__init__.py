"""Choose the model from one candidate for each: Chimera's rules, and the baselines they are measured against."""

from chimera_router.scheduling.policies.baselines import Fastest, LeastLoaded, Random, RoundRobin, Static, Threshold
from chimera_router.scheduling.policies.choice import Candidate, Choice, Policy
from chimera_router.scheduling.policies.objectives import ConfidenceObjective, LatencyObjective
from chimera_router.scheduling.policies.slack import DEFAULT_MIN_GAIN, DEFAULT_SLACK, Slack
from chimera_router.scheduling.policies.weighing import DEFAULT_COST_PRICE, DEFAULT_PRICE, Marginal, Utility

__all__ = [
    "DEFAULT_COST_PRICE",
    "DEFAULT_MIN_GAIN",
    "DEFAULT_PRICE",
    "DEFAULT_SLACK",
    "Candidate",
    "Choice",
    "ConfidenceObjective",
    "Fastest",
    "LatencyObjective",
    "LeastLoaded",
    "Marginal",
    "Policy",
    "Random",
    "RoundRobin",
    "Slack",
    "Static",
    "Threshold",
    "Utility",
]
