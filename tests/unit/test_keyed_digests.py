"""Keyed digests are what they were: pseudonyms, row keys, tombstones and erasures of an existing store stay recognised."""

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairhaven.engine.duckdb_connection import open_duckdb
from fairhaven.engine.keyed_digest import define_pseudonym
from fairhaven.intake.landing import LandingKeys, tombstone
from fairhaven.kernel.ids import derive, digest52, pseudonym
from tests.support.examples import examples

SECRET = b"the hub's own secret, 32 bytes.."
KEYS = LandingKeys.of(partial(derive, SECRET))

# As Fairhaven 899b4d3 computed them.
BEFORE = {
    "the key of pseudonyms": (
        KEYS.pseudonym.hex(),
        "985d6030e9026068f5bd6787ae1850a9fc19ab2df7fe06fb9031859040c112f4",
    ),
    "a patient": (pseudonym(KEYS.pseudonym, "gp_riverside", "4711"), "2e44c88bde02c4bcf2028549ba6b1e73"),
    "a tombstone": (tombstone(KEYS, "abc"), "b20faceecdb4755c6d0caa094a74c944"),
    "the salt of row keys": (KEYS.salt("gp_riverside", "events"), "f88160706882a776faf2dc34"),
    "an erased person": (pseudonym(derive(SECRET, "erasure"), "42"), "f10205ff0dfe31dc95bd26e9f23f19ac"),
    "a rule's constant": (digest52("rule", "gp_riverside", "events"), 3534804249602853),
}


@pytest.mark.parametrize("what", BEFORE)
def test_a_digest_is_what_it_was(what: str) -> None:
    found, before = BEFORE[what]
    assert found == before


@given(key=st.binary(min_size=1, max_size=200), text=st.text())
@examples(60)
def test_duckdb_computes_the_same_pseudonyms(key: bytes, text: str) -> None:
    with open_duckdb(spill=None) as connection:
        define_pseudonym(connection, "pseudonym_of", key)
        assert connection.execute("SELECT pseudonym_of(?::VARCHAR)", [text]).fetchone() == (pseudonym(key, text),)
