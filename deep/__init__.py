"""The neural half: batched environments and learners, many seeds trained at once.

Index meanings: tensors are [run, env, agent, number] — ``observations[run, env, agent, number]``,
``actions[run, env, agent, number]``, ``rewards[run, env, agent]`` — padded with zeros where agents
differ in size. A run is a seed; its numbers do not depend on the runs beside it, because each run
draws from its own named streams. Returns are episode sums of one agent's reward, in the convention
that the task's file states.

The public names live in their modules, so that importing one costs only what it needs:

- ``envs``: ``tasks.world``, ``scenarios.scenario``, ``particle.ParticleEnv``, ``climb.ClimbEnv``,
  ``game.GameEnv`` (any finite game of ``tabular``), ``pettingzoo.ParallelWorld``
- ``agents``: ``masac``, ``maddpg``, ``actor_critic``, ``policies``, ``critics``, ``losses``
- ``dynamics``: ``ensemble.ensemble``, ``exact.exact``, ``fitting.fit``, ``compounding_error``
- ``opponents``: ``models.opponent_models``, ``fitting.fit``, ``errors`` (estimators)
- ``aorpo``: ``settings``, ``build.model_based``, ``rounds`` (Algorithm 1), ``rollouts.roll``,
  ``schemes``, ``communication``
- ``training``: ``settings.Settings``, ``presets``, ``algorithms``, ``run``, ``trainer``,
  ``evaluation``, ``metrics``, ``checkpoint``
- ``analysis``: ``theory_in_the_loop``, ``exact_tables``, ``drift``, ``statistics``, ``benchmark``
- what they stand on: ``nn``, ``data`` and ``seeding.streams``
"""

import os

# MKL rounds by where in memory a matrix lies unless told not to, and a run's numbers must not
# depend on the runs beside it
os.environ.setdefault("MKL_CBWR", "AUTO")
