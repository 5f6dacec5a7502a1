"""Whatever the numbers and labels, the parser of Prometheus' own client reads back what was written."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from atrium.housekeeping.openmetrics import Family, Sample, render

LABELS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=20)
VALUES = st.integers(0, 2**52).map(float) | st.floats(0, 1e12, allow_nan=False)


@given(st.dictionaries(LABELS, VALUES, max_size=5), LABELS.map(str.strip))
def test_what_is_written_is_read_back(values: dict[str, float], words: str) -> None:
    samples = tuple(Sample(value, {"kind": label}) for label, value in values.items())
    text = render([Family("atrium_things_bytes", words, samples, unit="bytes")])
    (family,) = text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    assert (family.name, family.type, family.unit, family.documentation) == ("atrium_things_bytes", "gauge", "bytes", words)
    assert {sample.labels["kind"]: sample.value for sample in family.samples} == values


def test_a_family_may_be_empty_and_a_sample_bare() -> None:
    text = render([Family("a", "Nothing.", ()), Family("b", "One.", (Sample(2),))])
    assert text == "# TYPE a gauge\n# HELP a Nothing.\n# TYPE b gauge\n# HELP b One.\nb 2\n# EOF\n"
