"""A small environment, and how a policy walks through observations."""

from __future__ import annotations

import gymnasium
import numpy as np

BACKENDS = ("coarse", "continuous")


class Chase:
    """A point runs from a target or towards it; the noise is the environment's own."""

    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)
        self.x = self.rng.uniform(-1, 1, 2)
        self.left = int(self.rng.integers(5, 12))
        return self.x.copy(), {}

    def step(self, action):
        self.x[0] = np.clip(self.x[0] + (0.3 if action else -0.3), -1, 1)
        self.x[1] = self.rng.uniform(-1, 1)
        self.left -= 1
        return self.x.copy(), -abs(self.x[0] - self.x[1]), self.left == 0, False, {}


def walk(policy, observations, state=None, start=None):
    """Actions and the last state of a policy on observations [step, environment, quantity]."""
    actions = []
    for seen in observations:
        action, state = policy.predict(seen, state, start)
        actions.append(action)
        start = None
    return np.array(actions), state
