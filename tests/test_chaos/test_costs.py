"""What a picture costs a service: the figures between two looks at Redis."""

from chaos import costs
from chaos.costs import Costs, Traffic


def test_what_comes_anyway_is_no_picture_s() -> None:
    """Ten seconds of idle traffic are taken off what came in ten seconds."""
    before, after = Traffic(40, 20), Traffic(100, 50)

    assert after.since(before, seconds=10.0, idle=Traffic(1, 2)) == Traffic(50, 10)


def test_a_row_names_the_service_and_rounds_its_figures() -> None:
    """In the order of the heading; percentiles of the POSTs, not their mean."""
    found = Costs(
        name="petiole",
        idle=Traffic(9.96, 2),
        busy=Traffic(60.04, 7.52),
        cpu_ms=12.34,
        post_ms=[float(n) for n in range(1, 100)],
        child_mib=68.4,
        whole_mib=349.0,
    )
    head, _, row = costs.markdown([found]).splitlines()[-3:]

    assert row == "| petiole | 60.0 | 7.5 | 10.0 | 12.3 | 50.0, 99.0 | 68 | 349 |"
    assert head.count("|") == row.count("|")
