"""Exact stochastic games: returns, errors, and the check of every bound on them.

Index meanings: ``transition[s, a, s_next]``, ``reward[agent, s, a]``, and
``policies[agent][s, a_own]``; joint actions a are row-major over the agents' own actions, agent 0
slowest. Returns are un-normalised and start at t = 0. Float arrays may carry leading batch axes;
exact arrays hold ``fractions.Fraction``; large games keep their transition as a scipy.sparse matrix
[s·a, s_next].

The public names live in their modules, so that importing one costs only what it needs:

- ``games``: ``game.StochasticGame``, ``policy``, ``catalogue.find``, ``random``, ``files.load_game``
- ``cases``: ``case.Case``, ``files.load_case``, ``check.check``, ``errors.measure``,
  ``returns.real_return``, ``model_return``, ``branched_return``, ``monte_carlo.simulate``,
  ``perturb``; ``strategies`` for Hypothesis tests of your own
- ``equilibria``: ``stage_game``, ``stage_equilibria.selected``, ``zero_sum_stage.solve_matrix``,
  ``nash_value_iteration.solve``, ``logit_branch.logit_values``, ``exploitability.exploitability``
- ``certificates.build.refutation``; the checkers ``verify`` and ``verify_soft`` stand alone
- ``extremal``: the games that attain the coupling bounds
- ``nash_q.learning.nash_q``; ``soft_q.one_agent.solve``, ``soft_q.all_agents``
- ``search``: ``evolution.evolve``, ``refute.refute``, ``attack.run_attack``
- ``records``: recorded training read back; ``audit.run.run_audit``: the whole ledger
"""
