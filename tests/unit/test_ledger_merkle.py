"""The Merkle tree: the root, and the proofs, of RFC 9162."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.ledger.merkle import (
    EMPTY,
    consistency_path,
    inclusion_path,
    is_consistent,
    leaf_hash,
    root_by_inclusion,
    root_of,
)


def _leaves(size: int) -> list[bytes]:
    return [leaf_hash(number.to_bytes(2)) for number in range(size)]


def _root(leaves: list[bytes]) -> bytes:
    """As RFC 9162, 2.1.1, has it: split at the largest power of two that is less."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return hashlib.sha256(b"\x01" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def test_roots_are_those_of_the_reference_vectors_of_certificate_transparency() -> None:
    # The first leaves of the vectors of RFC 6962's reference implementation: nothing, and one zero byte.
    assert EMPTY.root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert leaf_hash(b"\x00").hex() == "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"
    two = root_of([leaf_hash(b""), leaf_hash(b"\x00")])
    assert two.hex() == "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"


@given(size=st.integers(1, 200))
def test_the_root_is_that_of_the_definition_however_the_leaves_come(size: int) -> None:
    leaves = _leaves(size)
    assert root_of(leaves) == _root(leaves)
    assert EMPTY.with_leaves(leaves[: size // 3]).with_leaves(leaves[size // 3 :]) == EMPTY.with_leaves(leaves)


@given(data=st.data(), size=st.integers(1, 200))
def test_a_leaf_is_proved_at_its_place_and_at_no_other_and_no_other_leaf_is(data: st.DataObject, size: int) -> None:
    leaves, place = _leaves(size), data.draw(st.integers(0, size - 1))
    path, root = inclusion_path(leaves, place), root_of(leaves)
    assert root_by_inclusion(leaves[place], path, place=place, size=size) == root
    other = data.draw(st.integers(0, size - 1))
    if other != place:
        assert root_by_inclusion(leaves[place], path, place=other, size=size) != root
        assert root_by_inclusion(leaves[other], path, place=place, size=size) != root
    for cut in (path[:-1], [*path, bytes(32)]) if path else ([bytes(32)],):
        assert root_by_inclusion(leaves[place], cut, place=place, size=size) != root


@given(data=st.data(), size=st.integers(1, 200))
def test_a_tree_is_shown_to_go_on_from_its_beginning_and_from_no_other_tree(data: st.DataObject, size: int) -> None:
    leaves, earlier = _leaves(size), data.draw(st.integers(1, size))
    path, root, then = consistency_path(leaves, earlier), root_of(leaves), root_of(leaves[:earlier])
    assert is_consistent(path, earlier=earlier, root_then=then, size=size, root=root)
    assert not is_consistent(path, earlier=earlier, root_then=bytes(32), size=size, root=root)
    assert not is_consistent(path, earlier=earlier, root_then=then, size=size, root=bytes(32))
    assert not is_consistent([*path, bytes(32)], earlier=earlier, root_then=then, size=size, root=root)


def test_no_place_outside_a_tree_has_a_proof() -> None:
    with pytest.raises(ValueError, match="no place"):
        inclusion_path(_leaves(3), 3)
    with pytest.raises(ValueError, match="no tree of 4"):
        consistency_path(_leaves(3), 4)
