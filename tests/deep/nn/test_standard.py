"""Standard numbers: constants up to rounding, inputs within bounds, scales changed and back."""

import torch

from deep.nn.standard import FARTHEST, Standard, change, standard


def near_constant() -> torch.Tensor:
    """A number that varies, an exact constant, one up to rounding, and one with one outlier."""
    x = torch.rand(1, 5000, 4, generator=torch.Generator().manual_seed(0))
    x[..., 1] = 12345.678
    x[..., 2] = 0.7 + 1e-7 * torch.randn(5000, generator=torch.Generator().manual_seed(1))
    x[..., 3] = 0
    x[0, 17, 3] = 1e-6
    return x


def test_rounding_is_no_variation() -> None:
    found = standard(near_constant())
    assert found.varies.tolist() == [[1, 0, 0, 1]]
    assert found.deviation[0, 1:3].tolist() == [0, 0]


def test_inputs_stay_within_bounds() -> None:
    """What was nearly constant does not blow up when it moves later on."""
    found = standard(near_constant())
    later = torch.tensor([[[0.5, 12345.678, 0.8, 0.3]]])
    assert float(found(later)[..., 3]) > 1e6
    z = found.bounded(later)[0, 0]
    assert bool((z.abs() <= FARTHEST).all())
    assert abs(float(z[2])) < 0.2  # a constant is divided by 1
    assert float(z[3]) == FARTHEST


def test_what_is_no_outlier_is_as_it_was() -> None:
    x = torch.randn(2, 1000, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    found = standard(5 + 3 * x)
    assert torch.equal(found.bounded(5 + 3 * x), found(5 + 3 * x))
    torch.testing.assert_close(found(5 + 3 * x).mean(1), torch.zeros(2, 3, dtype=torch.float64))
    torch.testing.assert_close(found.back(found(5 + 3 * x)), 5 + 3 * x)


def test_a_change_of_scales() -> None:
    numbers = torch.randn(4, 1, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    old = Standard(numbers[0], numbers[1].abs() + 0.1)
    new = Standard(numbers[2], numbers[3].abs() + 0.1)
    moved = change(old, new, torch.tensor([[True, False]]))
    z = torch.randn(1, 7, 2, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    other = moved.factor.unsqueeze(1) * z + moved.shift.unsqueeze(1)
    torch.testing.assert_close(new.back(other)[..., 0], old.back(z)[..., 0])
    assert torch.equal(other[..., 1], z[..., 1])
