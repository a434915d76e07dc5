"""What a reader is told of totals. They are sums of the cells that are shown, and never of true counts."""

from fairhaven.disclosure.policy import Policy, Small


def adds_up(policy: Policy, *, hidden: int) -> bool:
    """True where the totals are those of the whole table: nothing is hidden, rounded or shown as zero.

    It follows from the policy and from what is shown, never from true counts: that a rounded total happens to be
    right would be news.
    """
    return not hidden and policy.round_to == 1 and policy.small is not Small.ZERO


def totals_note(policy: Policy, *, hidden: int, cells: int) -> str:
    """The sentence that stands below a table; empty where its totals need none."""
    if adds_up(policy, hidden=hidden):
        return ""
    said = ["Totals are sums of the cells shown"]
    if hidden:
        said.append(f"{hidden} of {cells} cells {'is' if hidden == 1 else 'are'} hidden and in no total")
    if policy.small is Small.ZERO:
        said.append(f"counts {policy.under} are shown as 0 and add nothing")
    if policy.round_to > 1:
        said.append(
            f"each cell is within {policy.half_width} of the true count, a total of n cells within n times that, "
            "and totals need not agree with those of other tables"
        )
    return "; ".join(said) + "."
