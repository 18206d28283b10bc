"""The neural half: batched environments and learners, many seeds trained at once.

Index meanings: tensors are [run, env, agent, number] — ``observations[run, env, agent, number]``,
``actions[run, env, agent, number]``, ``rewards[run, env, agent]`` — padded with zeros where agents
differ in size. A run is a seed; its numbers do not depend on the runs beside it, because each run
draws from its own named streams. Returns are episode sums of one agent's reward, in the convention
that the task's file states.

The public names live in their modules, so that importing one costs only what it needs:

- environments: ``scenarios.scenario``, ``particle.ParticleEnv``, ``climb_env.ClimbEnv``,
  ``game_env.GameEnv`` (any ``tabular.StochasticGame``), ``pettingzoo_adapter.ParallelWorld``
- learners: ``masac``, ``maddpg``, ``aorpo`` (also AORDPG), put together by ``algorithms``
- AORPO's parts: ``ensemble`` and ``dynamics``, ``opponents``, ``opponent_errors``,
  ``communication``, ``lengths`` and ``schemes``, ``rollouts``, ``model_based``
- training: ``config.Settings``, ``run``, ``trainer``, ``evaluation``, ``metrics``, ``checkpoint``
- what they stand on: ``physics``, ``observation``, ``spaces``, ``seeding.streams``, ``networks``
"""

import os

# MKL rounds by where in memory a matrix lies unless told not to, and a run's numbers must not
# depend on the runs beside it
os.environ.setdefault("MKL_CBWR", "AUTO")
