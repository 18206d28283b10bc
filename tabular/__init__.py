"""Exact stochastic games: returns, errors, and the check of every bound on them.

Index meanings: ``transition[s, a, s_next]``, ``reward[agent, s, a]``, and
``policies[agent][s, a_own]``; joint actions a are row-major over the agents' own actions, agent 0
slowest. Returns are un-normalised and start at t = 0. Float arrays may carry leading batch axes;
exact arrays hold ``fractions.Fraction``; large games keep their transition as a scipy.sparse matrix
[s·a, s_next].

The public names live in their modules, so that importing one costs only what it needs:

- ``tabular.games``: ``game.StochasticGame``, ``catalogue.find``, ``files.load_game``, ``random``
- ``tabular.cases``: ``case.Case``, ``files.load_case``, ``check.check``, ``errors.measure``,
  ``returns.real_return``, ``monte_carlo.simulate``, ``strategies`` (needs hypothesis)
- ``tabular.equilibria``: ``stage_equilibria.selected``, ``zero_sum_stage.solve_matrix``,
  ``nash_value_iteration.solve``, ``exploitability.exploitability``, ``logit_branch.logit_values``
- ``tabular.nash_q``: ``learning.nash_q``; ``tabular.soft_q``: ``one_agent.solve``,
  ``all_agents.simultaneous_iteration``
- ``tabular.search``: ``refute.refute``, ``evolution.evolve``; ``tabular.certificates``:
  ``build.refutation``, for ``tabular.verify``; ``tabular.audit``: ``run.run_audit``
"""
