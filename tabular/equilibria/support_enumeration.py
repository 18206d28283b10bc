"""All extreme equilibria of two-player stage games, exactly, for one game or thousands at once.

Of what is returned: Mangasarian (1964), Equilibrium points of bimatrix games. The pairs (x, v) of a
mixed strategy x of one player and a payoff v that no reply of the other exceeds form a polyhedron,

    x ≥ 0, Σ_i x_i = 1, Σ_i x_i B[i, j] ≤ v for every reply j,

and the *extreme* equilibria are the pairs of a vertex of the first player's polyhedron and one of
the second's that are complementary: a player uses only best replies. Every game has one. In a
nondegenerate game these are all equilibria. In a degenerate game the equilibria may form convex
sets, finitely many; these are their corners, so that every equilibrium mixes some of them (the
convention of ``enummixed`` in pygambit). All pure equilibria are among them.

Of how: a vertex has a support I and as many replies J that attain v, such that this square system
has one solution; equilibria whose supports differ in size, as degenerate games have them, are found
through a smaller J. With E of ``minors``, Cramer's rule says that

    x_i ∝ ±E(I∖i, J),   v − Σ_i x_i B[i, j] ∝ ±E(I, J ∪ j),

so the vertices depend on the signs of C(m + n, m + 1) determinants alone.

Floats are as good as exact numbers here: a game with a determinant that rounding may have spoiled
is solved again in integers, at the binary values of its payoffs. So the set of equilibria is the
exact one for these payoffs, degenerate or not, and every probability is correct to a few 1e-9 of
itself, as a rule to rounding.

Order: by the first player's vertex, then the second's; vertices by the size of the support, the
support, then the first J that determines them; sets in lexicographic order.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from math import comb
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError
from tabular.equilibria.determinants import cofactors, integers, minors
from tabular.equilibria.stage_game import Strategies, expected_payoffs
from tabular.games.arrays import is_exact_array

#: Largest number C(m + n, m) − 1 of square systems of a game that is enumerated: 10 × 10 actions.
MAX_SYSTEMS = 200_000
#: Most actions of one player: sets are the bits of an int64.
MAX_ACTIONS = 62
#: How many systems, or pairs of vertices, are worked on at once.
CHUNK = 4_000_000


@dataclass(frozen=True, eq=False)
class Equilibria:
    """Equilibria of a batch of stage games, one row an equilibrium.

    game: [e], the game's index in the batch, ascending.
    strategies: strategies[j][e, aʲ].
    payoffs: [e, agent].
    """

    game: Array
    strategies: Strategies
    payoffs: Array

    def __len__(self) -> int:
        return len(self.game)

    def profile(self, e: int) -> Strategies:
        """The strategies of row ``e``, one [aʲ] an agent."""
        return tuple(own[e] for own in self.strategies)

    def take(self, rows: Any) -> Equilibria:
        """The rows ``rows``, in their order."""
        own = tuple(part[rows] for part in self.strategies)
        return Equilibria(self.game[rows], own, self.payoffs[rows])


def support_enumeration(payoffs: Array) -> Equilibria:
    """All extreme equilibria of the games ``payoffs[game, agent, a⁰, a¹]``, two agents.

    A single game [agent, a⁰, a¹] is a batch of one. Exact in, exact out. ``InputError`` for games
    that are too large to enumerate.
    """
    tables = payoffs if payoffs.ndim == 4 else payoffs[None]
    games, n, rows, columns = tables.shape
    if n != 2:
        raise InputError(f"payoffs: {n} agents; support enumeration is for 2")
    check_enumerable((rows, columns))
    if is_exact_array(tables):
        game, x, y = _in_integers(tables)
        return Equilibria(game, (x, y), expected_payoffs(tables[game], (x, y)))
    found: list[tuple[Array, Array, Array]] = []
    step = max(1, CHUNK // comb(rows + columns, rows))
    for start in range(0, games or 1, step):
        part = tables[start : start + step]
        one, two, unsure = _both(part)
        game, x, y = _complementary(one, two, ~unsure)
        found.append((game + start, x, y))
        if unsure.any():
            again = np.flatnonzero(unsure)
            game, x, y = _in_integers(part[again])
            found.append((again[game] + start, x.astype(float), y.astype(float)))
    game, x, y = (np.concatenate(part) for part in zip(*found, strict=True))
    if len(found) > 1:
        order = np.argsort(game, kind="stable")
        game, x, y = game[order], x[order], y[order]
    return Equilibria(game, (x, y), expected_payoffs(tables[game], (x, y)))


def is_enumerable(actions: tuple[int, ...]) -> bool:
    """Whether two-player games with these numbers of actions are small enough to enumerate."""
    return _systems(actions) <= MAX_SYSTEMS and max(actions) <= MAX_ACTIONS


def _systems(actions: tuple[int, ...]) -> int:
    rows, columns = actions
    return comb(rows + columns, rows) - 1


def check_enumerable(actions: tuple[int, ...]) -> None:
    """``InputError`` unless two-player games with these numbers of actions can be enumerated."""
    if not is_enumerable(actions):
        rows, columns = actions
        raise InputError(
            f"payoffs: {rows}x{columns} actions are too many to enumerate supports "
            f"({_systems(actions)} systems; at most {MAX_SYSTEMS}, and {MAX_ACTIONS} actions); use "
            "the selection any, for one equilibrium"
        )


def _in_integers(tables: Array) -> tuple[Array, Array, Array]:
    """Game, x and y of all equilibria, in integers and fractions."""
    scaled = np.empty(tables.shape, dtype=object)
    for g, agent in np.ndindex(tables.shape[:2]):
        scaled[g, agent] = integers(tables[g, agent])
    one, two, _ = _both(scaled)
    return _complementary(one, two, np.ones(len(tables), bool))


@dataclass(frozen=True, eq=False)
class Vertices:
    """Vertices of one player's polyhedra in a batch of games, in the order of the module.

    game: [v], index in the batch, ascending.
    support, replies: [v], the own actions used and the other's best replies, as bits.
    x: [v, own action].
    """

    game: Array
    support: Array
    replies: Array
    x: Array


def _both(tables: Array) -> tuple[Vertices, Vertices, Array]:
    """The vertices of both players and the unsure games of ``tables[game, agent, a⁰, a¹]``."""
    last = np.ascontiguousarray(np.moveaxis(tables, 0, -1))
    one, unsure = vertices(last[1])
    two, also = vertices(last[0].swapaxes(0, 1))
    return one, two, unsure | also


def vertices(table: Array) -> tuple[Vertices, Array]:
    """The vertices for the other's payoffs ``table[own, reply, game]``, and the unsure games.

    Floats, or Python's integers (dtype object), for which no game is unsure.
    """
    rows, columns, _ = table.shape
    found = minors(table)
    parts: list[tuple[Array, ...]] = []
    for k in range(1, min(rows, columns) + 1):
        plan = _plan(rows, columns, k)
        index, turns = cofactors(rows, k)
        below = found.signs[k - 1]
        signs = [below[i] * np.int8(turn) for i, turn in zip(index, turns, strict=True)]
        side = signs[0]  # [I, J, game]
        valid = side != 0
        for other in signs[1:]:
            valid = valid & (other == side)
        a, b, g = np.nonzero(valid)
        side = side[a, b, g]
        replies = plan.reply_bits[b]
        fine = np.ones(len(a), bool)
        for p in range(columns - k):
            slack = found.signs[k][a, plan.joined[b, p], g] * plan.joined_turns[b, p] * side
            fine &= slack >= 0
            replies = replies | np.where(slack == 0, plan.joined_bits[b, p], 0)
        a, b, g, replies = a[fine], b[fine], g[fine], replies[fine]
        weights = np.stack([np.abs(found.values[k - 1][i[a], b, g]) for i in index], axis=-1)
        x = np.full((len(a), rows), Fraction(0) if table.dtype == object else 0.0)
        x[np.arange(len(a))[:, None], plan.supports[a]] = _shares(weights)
        parts.append((g, plan.support_bits[a], replies, x))
    joined = [np.concatenate(part) for part in zip(*parts, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    game, support, replies, x = (part[order] for part in joined)
    kept = _first_of_each(game, support, replies)
    return Vertices(game[kept], support[kept], replies[kept], x[kept]), found.unsure


def _shares(weights: Array) -> Array:
    """Each row of ``weights`` divided by its sum."""
    total = weights.sum(axis=-1, keepdims=True)
    if weights.dtype != object:
        return np.asarray(weights / total)
    shares = np.empty(weights.shape, dtype=object)
    for (v, p), weight in np.ndenumerate(weights):
        shares[v, p] = Fraction(weight, total[v, 0])
    return shares


def _first_of_each(game: Array, support: Array, replies: Array) -> Array:
    """Which vertices to keep: a degenerate one may come from several J, but is one vertex."""
    kept = np.bitwise_count(replies) == np.bitwise_count(support)
    several = np.flatnonzero(~kept)
    if several.size:
        keys = np.stack([game[several], support[several], replies[several]], axis=-1)
        _, first = np.unique(keys, axis=0, return_index=True)
        kept[several[first]] = True
    return np.asarray(kept)


def _complementary(one: Vertices, two: Vertices, wanted: Array) -> tuple[Array, Array, Array]:
    """Game, x and y of all pairs of vertices in which both players use only best replies."""
    first = np.flatnonzero(wanted[one.game])
    counts = np.bincount(two.game, minlength=len(wanted))
    starts = np.cumsum(counts) - counts
    pairs = counts[one.game[first]]
    until = np.cumsum(pairs)
    found = [(first[:0], first[:0])]
    begin = 0
    while begin < len(first):  # as many rows at a time as their pairs fit into a chunk
        done = until[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(until, done + CHUNK, side="right")))
        here, number = first[begin:end], pairs[begin:end]
        left = np.repeat(here, number)
        offset = np.arange(len(left)) - np.repeat(np.cumsum(number) - number, number)
        right = np.repeat(starts[one.game[here]], number) + offset
        fits = (one.support[left] & ~two.replies[right]) == 0
        fits &= (two.support[right] & ~one.replies[left]) == 0
        found.append((left[fits], right[fits]))
        begin = end
    i, j = (np.concatenate(side) for side in zip(*found, strict=True))
    return one.game[i], one.x[i], two.x[j]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Index tables for supports I and replies J of size k.

    supports, support_bits, reply_bits: the sets, [I, place], [I], [J].
    joined: the index of J ∪ j among the sets of k + 1 replies, [J, other]; joined_turns: the sign
        (−1)^{k−q} that brings j from its place q in J ∪ j to the end; joined_bits: the bit of j.
    """

    supports: Array
    support_bits: Array
    reply_bits: Array
    joined: Array
    joined_turns: Array
    joined_bits: Array


@lru_cache(maxsize=64)
def _plan(rows: int, columns: int, k: int) -> _Plan:
    supports = np.array(list(combinations(range(rows), k)))
    replies = list(combinations(range(columns), k))
    larger = {c: i for i, c in enumerate(combinations(range(columns), k + 1))}
    shape = (len(replies), columns - k)
    joined, turns, bits = np.zeros(shape, int), np.zeros(shape, np.int8), np.zeros(shape, int)
    for b, chosen in enumerate(replies):
        for p, j in enumerate(j for j in range(columns) if j not in chosen):
            both = tuple(sorted((*chosen, j)))
            joined[b, p], turns[b, p] = larger[both], (-1) ** (k - both.index(j))
            bits[b, p] = 1 << j
    return _Plan(
        supports=supports,
        support_bits=(1 << supports).sum(axis=-1),
        reply_bits=(1 << np.array(replies)).sum(axis=-1),
        joined=joined,
        joined_turns=turns,
        joined_bits=bits,
    )
