"""The bank: arrays by name whose initial values depend on name and seed alone."""

from __future__ import annotations

import numpy as np
import pytest

from alphaxenas.networks.bank import ArraySpec, WeightBank

KERNEL = ArraySpec((3, 3, 4, 5), "he", 36)
SPECS = {"a/kernel": KERNEL, "a/scale": ArraySpec((5,), "ones"), "a/offset": ArraySpec((5,), "zeros")}


def test_initial_values_do_not_depend_on_the_order_in_which_arrays_are_met():
    backwards = dict(reversed(SPECS.items()))
    first, second = WeightBank(7), WeightBank(7)
    second.take("weights", {"another": KERNEL})
    flat, other = first.take("weights", SPECS), second.take("weights", backwards)
    np.testing.assert_array_equal(flat[: KERNEL.size], other[-KERNEL.size :])


def test_names_and_seeds_give_different_values():
    values = WeightBank(7).take("weights", {"a": KERNEL})
    assert not np.array_equal(values, WeightBank(7).take("weights", {"b": KERNEL}))
    assert not np.array_equal(values, WeightBank(8).take("weights", {"a": KERNEL}))


def test_kernels_start_with_variance_two_over_fan_in():
    values = WeightBank(0).take("weights", {"k": ArraySpec((3, 3, 64, 64), "he", 576)})
    assert values.mean() == pytest.approx(0.0, abs=1e-3)
    assert values.var() == pytest.approx(2 / 576, rel=0.03)
    assert values.dtype == np.float32


def test_scales_start_at_one_offsets_and_slots_at_zero():
    bank = WeightBank(0)
    np.testing.assert_array_equal(bank.take("weights", SPECS)[KERNEL.size :], [1] * 5 + [0] * 5)
    assert not bank.take("slots", SPECS).any()


def test_what_was_put_is_what_is_taken():
    bank, rng = WeightBank(0), np.random.default_rng(0)
    flat = rng.standard_normal(KERNEL.size + 10).astype(np.float32)
    bank.put("weights", SPECS, flat)
    np.testing.assert_array_equal(bank.take("weights", SPECS), flat)
    assert bank["weights"]["a/kernel"].shape == KERNEL.shape


def test_the_bank_does_not_share_memory_with_the_vectors_it_gives_and_gets():
    bank = WeightBank(0)
    flat = np.ones(KERNEL.size + 10, np.float32)
    bank.put("weights", SPECS, flat)
    flat[:] = 2
    bank.take("weights", SPECS)[:] = 3
    assert bank.take("weights", SPECS).max() == 1


def test_taking_leaves_no_trace():
    bank = WeightBank(0)
    bank.take("weights", SPECS)
    assert not any(bank.state().values())


def test_putting_moves_only_the_named_arrays():
    bank, other = WeightBank(0), {"b/kernel": KERNEL}
    bank.put("weights", {**SPECS, **other}, np.ones(2 * KERNEL.size + 10, np.float32))
    before = bank["weights"]["a/kernel"]
    bank.put("weights", other, np.zeros(KERNEL.size, np.float32))
    assert bank["weights"]["a/kernel"] is before and before.all()
    assert not bank["weights"]["b/kernel"].any()


def test_a_name_cannot_change_its_shape():
    bank = WeightBank(0)
    bank.put("weights", {"a": ArraySpec((2,))}, np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"`a`.*\(2,\).*\(3,\)"):
        bank.take("weights", {"a": ArraySpec((3,))})


def test_a_state_is_not_changed_by_what_is_put_later_and_restores_exactly():
    bank, specs = WeightBank(0), {"a": ArraySpec((2,))}
    bank.put("weights", specs, np.array([1, 2], np.float32))
    state = bank.state()
    bank.put("weights", {**specs, "b": ArraySpec((1,))}, np.array([3, 4, 5], np.float32))
    np.testing.assert_array_equal(state["weights"]["a"], [1, 2])
    bank.restore(state)
    np.testing.assert_array_equal(bank.take("weights", specs), [1, 2])
    assert set(bank["weights"]) == {"a"}
