"""Noise of known strength in place of an audit: the geometric mechanism, by OpenDP."""

from fairhaven.kernel.errors import Refused


def noisy_count(count: int, *, epsilon: float) -> int:
    """A count with two-sided geometric noise, so that one person more or less changes the chance of any result by a
    factor of at most exp(epsilon). Negative results are given as 0.

    Raises:
        Refused: OpenDP is not installed.
    """
    try:
        import opendp.prelude as dp
    except ImportError:
        raise Refused(
            "differential privacy needs OpenDP, which is not installed here: pip install 'fairhaven[privacy]'"
        ) from None
    dp.enable_features("contrib")
    mechanism = dp.m.make_geometric(dp.atom_domain(T=int), dp.absolute_distance(T=int), scale=1 / epsilon)
    return max(int(mechanism(count)), 0)
