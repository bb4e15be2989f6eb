"""Spiking policies in closed loop with an environment, in steps and in continuous time.

A :class:`SpikingPolicy` is a network with an encoder for observations and a decoder for actions.
It is called like a recurrent policy of stable-baselines3: ``predict(observation, state,
episode_start, deterministic)`` returns actions and the state for the next call. The state of the
network is carried from one environment step to the next; in continuous time by a session.

:func:`rollout` plays episodes, :func:`compare` plays them coarse and continuous and tells what is
left, :func:`votes_on` and :func:`replay` show a policy what another one saw.

Environments are those of Gymnasium, ``pip install "eventsim[gym]"``, or any object with ``reset``
and ``step`` of that form.
"""

from __future__ import annotations

from eventsim.gym.coding import PopulationCode, Votes
from eventsim.gym.compare import Comparison, Player, compare
from eventsim.gym.files import load_policy, save_policy
from eventsim.gym.policy import PolicyState, SpikingPolicy
from eventsim.gym.replay import replay, votes_on
from eventsim.gym.rollout import Episode, Episodes, rollout

__all__ = [
    "Comparison",
    "Episode",
    "Episodes",
    "Player",
    "PolicyState",
    "PopulationCode",
    "SpikingPolicy",
    "Votes",
    "compare",
    "load_policy",
    "replay",
    "rollout",
    "save_policy",
    "votes_on",
]
