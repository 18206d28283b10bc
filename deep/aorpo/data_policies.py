"""The policies that collected D_env, as far as they are remembered, and how far they have moved.

``planned`` wants ε_π between the data's policies and the policies now, and D_env holds the rows of
many rounds. So the policies' parameters are kept ``KEPT`` times over the length of the replay, and
the shift is the mean of D_TV between each of these policies and the policy now. By convexity that
is at least the distance from their mixture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deep.agents.policies import Policies
from deep.data.replay import Replay
from deep.nn.tensors import restore_tensors
from deep.opponents.fitting import History
from deep.opponents.policy_shift import policy_shift
from deep.seeding import Streams

#: How many policies are remembered.
KEPT = 8


@dataclass(frozen=True, eq=False)
class DataPolicies:
    """``parameters[run, i, ...]``: of stacks, a ring of the newest ``KEPT``.

    taken: how many there were. due: at how many transitions the next one is taken.
    """

    parameters: Tensor
    taken: Tensor
    due: Tensor

    def remember(self, policies: Policies, replay: Replay) -> None:
        """Keep ``policies``, which collected the newest rows, if it is time to."""
        if replay.added >= int(self.due):
            self.parameters[:, int(self.taken) % KEPT] = policies.stack.parameters.detach()
            self.taken.add_(1)
            self.due.fill_(replay.added + max(1, replay.capacity // KEPT))

    def shift(self, policies: Policies, history: History, streams: Streams) -> Tensor:
        """Mean of D_TV between ``policies`` and those remembered, [run, agent]; 0 if none is."""
        taken = min(int(self.taken), KEPT)
        apart = [
            policy_shift(policies, self.parameters[:, i].contiguous(), history, streams)
            for i in range(taken)
        ]
        if not apart:
            runs, agents = policies.stack.parameters.shape[:2]
            return torch.zeros(runs, agents, dtype=torch.float64)
        return torch.stack(apart).mean(0)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that later shifts depend on; not copies."""
        return {"parameters": self.parameters, "taken": self.taken, "due": self.due}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set all to what ``state`` returned."""
        restore_tensors(self.state(), state)


def data_policies(policies: Policies) -> DataPolicies:
    """Nothing remembered yet."""
    like = policies.stack.parameters.detach()
    room = like.new_zeros(len(like), KEPT, *like.shape[1:])
    return DataPolicies(room, *(torch.zeros((), dtype=torch.int64) for _ in range(2)))
