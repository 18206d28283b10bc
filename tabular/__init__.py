"""Exact stochastic games: returns, errors, and the check of every bound on them.

Index meanings: ``transition[s, a, s_next]``, ``reward[agent, s, a]``, and
``policies[agent][s, a_own]``; joint actions a are row-major over the agents' own actions, agent 0
slowest. Returns are un-normalised and start at t = 0. Float arrays may carry leading batch axes;
exact arrays hold ``fractions.Fraction``; large games keep their transition as a scipy.sparse matrix
[s·a, s_next].

The public names live in their modules, so that importing one costs only what it needs:

- ``game.StochasticGame``, ``policy``, ``catalogue.find``, ``random_games``, ``perturb``
- ``case.Case``, ``casefile.load_case``, ``check.check``, ``divergence.measure``
- ``evaluation.real_return``, ``model_return``, ``branched_return``; ``simulate.simulate``
- ``certificate.refutation``, ``verify``, ``search.evolve``, ``audit.run_audit``
- ``stage_game``, ``equilibria.selected``, ``matrix_games.solve_matrix``, ``nash_values.solve``,
  ``exploitability.exploitability``, ``gamefile.load_game``
- ``soft_q.solve``, ``soft_models``, ``soft_agents``, ``soft_nash``, ``soft_limit``, ``verify_soft``
- ``nash_q.nash_q``, ``nash_q_grid``, ``nash_q_record``; ``climb``, ``climb_proof``
- ``strategies``: Hypothesis strategies for tests of your own (needs hypothesis)
"""
