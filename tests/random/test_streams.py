"""Streams: which words they have, and that names, steps and elements have independent ones."""

import hashlib
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import neuropytree as npt
from neuropytree.random import Stream

KEY = jax.random.key(7)


def mixed(words, key, rounds):
    """Philox-4x32 as published, in Python's whole numbers."""
    a, b, c, d = words
    k0, k1 = key
    for _ in range(rounds):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (second >> 32) ^ b ^ k0, second & 0xFFFFFFFF, (first >> 32) ^ d ^ k1, first & 0xFFFFFFFF
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return a, b, c, d


def philox(a, b, key):
    for _ in range(7):
        product = a * 0xD256D193
        a, b = (product >> 32) ^ key ^ b, product & 0xFFFFFFFF
        key = (key + 0x9E3779B9) & 0xFFFFFFFF
    return a, b


def hashed(*names):
    digest = bytes(8)
    for name in names:
        digest = hashlib.blake2b(digest + name.encode(), digest_size=8).digest()
    return int.from_bytes(digest[:4], "big"), int.from_bytes(digest[4:], "big")


def test_words_are_those_of_the_published_generators():
    # known answers that come with the published implementation
    assert mixed((0, 0, 0, 0), (0, 0), 7) == (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)
    assert mixed((2**32 - 1,) * 4, (2**32 - 1,) * 2, 10) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    key = tuple(jax.random.key_data(KEY).tolist())
    for step, part, names, i in ((0, 0, (), 0), (5, 0, ("E",), 2**32 - 1), (2**31 - 1, 3, ("E", "membrane"), 12345)):
        tick = npt.Tick.at(step, dt=0.1, key=KEY)
        for name in names:
            tick = tick.fold(name)
        stream = (
            tick.stream if part == 0 else Stream(tick.stream.key, tick.stream.index, jnp.int32(2), tick.stream.place)
        )
        a, b, c, d = mixed((*hashed(*names), step, part) if names else (0, 0, step, part), key, 7)
        assert tuple(map(int, npt.ops.stream_words(stream))) == (a, b, c, d)
        first, second = philox(i, b, a)
        assert tuple(map(int, npt.ops.counter_bits(stream, np.uint32(i)))) == (first ^ c, second ^ d)


def test_names_with_equal_checksums_have_streams_of_their_own():
    """Register A10: these two names once had the same numbers, in initial values and in noise."""
    one, other = "plumless", "buckeroo"
    assert zlib.crc32(one.encode()) == zlib.crc32(other.encode())
    keys = [jax.random.key_data(npt.fold_key(KEY, name)) for name in (one, other)]
    assert (keys[0] != keys[1]).all()
    tick = npt.Tick.at(3, dt=0.1, key=KEY)
    values = [npt.random.uniform(tick.fold(name), shape=100) for name in (one, other)]
    assert not np.isin(*values).any()
    # no two of 10 000 names are alike; in half of the hash 0.01 pairs of them should be
    places = {tick.stream.fold(f"name {n}").place for n in range(10_000)}
    assert len(places) == len({high for high, _ in places}) == len({low for _, low in places}) == 10_000


def test_the_way_to_a_place_counts():
    tick = npt.Tick.at(3, dt=0.1, key=KEY)
    ways = [("a",), ("b",), ("a", "b"), ("b", "a"), ("ab",), ("a.b",), ("",), ("a", "")]
    seen = {
        tick.fold(way[0]).stream.place if len(way) == 1 else tick.fold(way[0]).fold(way[1]).stream.place for way in ways
    }
    assert len(seen | {tick.stream.place, Stream.of(KEY).place}) == len(ways) + 2
    with pytest.raises(TypeError, match="name is 3; expected a string"):
        tick.fold(3)


def test_keys_for_jax_are_those_of_step_and_place():
    def data(tick):
        return tuple(jax.random.key_data(tick.key).tolist())

    ticks = [npt.Tick.at(k, dt=0.1, key=KEY) for k in range(3)]
    ticks += [t.fold("a") for t in ticks] + [t.part(j, 2) for t in ticks for j in range(2)]
    assert len({data(t) for t in ticks}) == len(ticks)
    assert jax.random.normal(ticks[0].key, (2,)).shape == (2,)
    assert data(npt.Tick.at(1, dt=0.1, key=KEY)) == data(ticks[1])
    old = npt.Tick.at(1, dt=0.1, key=jax.random.PRNGKey(7))  # the same key in its old form
    np.testing.assert_array_equal(old.key, data(ticks[1]))
    assert npt.random.uniform(old) == npt.random.uniform(ticks[1])
    assert npt.Tick.at(0, dt=0.1).key is None and npt.Tick.at(0, dt=0.1).fold("a").part(0, 2).stream is None


def test_parts_of_a_step_have_streams_of_their_own():
    tick = npt.Tick.at(5, dt=0.1, key=KEY)
    parts = [tick.part(j, 4) for j in range(4)] + [tick.part(1, 2).part(j, 2) for j in range(2)]
    values = [float(npt.random.uniform(t)) for t in (tick, *parts)]
    assert len(set(values)) == len(values)
    assert [int(t.index) for t in parts] == [20, 21, 22, 23, 22, 23]
    traced = jax.vmap(lambda j: npt.random.uniform(tick.part(j, 4)))(jnp.arange(4))
    np.testing.assert_array_equal(traced, values[1:5])


def pair_of_words(i, step=0, name="a", seed=0):
    tick = npt.Tick.at(step, dt=0.1, key=jax.random.key(seed)).fold(name)
    return npt.ops.counter_bits(tick.stream, i)


@pytest.mark.parametrize("along", ["element", "step", "seed"])
def test_neighbours_are_independent(along):
    """Every bit is fair, and so is whether it is that of the neighbour; pairs of leading bits are uniform."""
    n = jnp.arange(2**16, dtype=jnp.uint32)
    if along == "element":
        found = pair_of_words(n, step=11)
    elif along == "step":
        found = jax.vmap(lambda k: pair_of_words(jnp.uint32(5), step=k))(n.astype(jnp.int32))
    else:
        found = jax.vmap(lambda k: pair_of_words(jnp.uint32(5), seed=k))(n)
    found = np.stack([np.asarray(w) for w in found])
    bits = (found[..., None] >> np.arange(32, dtype=np.uint32)) & 1
    # 64 bits of 65536 words: five standard deviations
    assert abs(bits.mean(1) - 0.5).max() < 5 * 0.5 / 256
    assert abs((bits[:, 1:] ^ bits[:, :-1]).mean(1) - 0.5).max() < 5 * 0.5 / 256
    assert abs((bits[0] ^ bits[1]).mean(0) - 0.5).max() < 5 * 0.5 / 256
    for lag in (1, 2, 64):
        pairs = np.bincount((found[0] >> 28) * 16 + (np.roll(found[0], lag) >> 28), minlength=256)
        assert scipy.stats.chisquare(pairs).pvalue > 1e-4


def test_places_and_steps_and_seeds_are_independent_of_each_other():
    """Numbers of the same element: no correlation, at five standard deviations."""
    n = 100_000
    ticks = [npt.Tick.at(k, dt=0.1, key=jax.random.key(seed)).fold(a) for k in (0, 1) for seed in (0, 1) for a in "ab"]
    x = np.stack([npt.random.normal(t, shape=n) for t in ticks])
    assert abs(np.corrcoef(x) - np.eye(8)).max() < 5 / np.sqrt(n)
    laws = [npt.random.uniform, npt.random.normal, npt.random.exponential]
    x = np.stack([f(ticks[0], shape=n) for f in laws] + [npt.random.poisson(ticks[0], 3.0, shape=n, dtype=float)])
    assert abs(np.corrcoef(x) - np.eye(4)).max() < 5 / np.sqrt(n)


def test_a_key_alone_is_not_the_first_step_of_a_run_with_it():
    of_key, of_step = (npt.random.uniform(x, shape=100) for x in (KEY, npt.Tick.at(0, dt=0.1, key=KEY)))
    assert not np.isin(of_key, of_step).any()


def test_longer_keys_count_whole():
    data = np.array([1, 2, 3, 4], np.uint32)
    values = set()
    for n in range(4):
        changed = data.copy()
        changed[n] += 1
        values.add(float(npt.random.uniform(jax.random.wrap_key_data(changed, impl="rbg"))))
    assert len(values) == 4


@pytest.mark.parametrize("what", ["fold_key", "tick", "draw", "init"])
def test_what_is_no_key_is_named(what):
    use = {
        "fold_key": lambda key: npt.fold_key(key, "E"),
        "tick": lambda key: npt.Tick.at(0, dt=0.1, key=key),
        "draw": lambda key: npt.random.normal(key),
        "init": lambda key: npt.init.Normal()((3,), key=key),
    }[what]
    with pytest.raises(TypeError, match=r"(key|tick) is 0; expected .*a random key, jax.random.key\(seed\)"):
        use(0)
    with pytest.raises(ValueError, match=r"key has shape \(2,\); expected one random key"):
        use(jax.random.split(KEY))
