import pytest

from chimera_router.engines import page as pages
from chimera_router.engines.page import MAX_REQUESTS, MAX_SERIES
from chimera_router.engines.profiles import SGLANG, TRTLLM, VLLM, EngineProfile
from chimera_router.engines.types import Outcome, Reading

PAGE = b"""\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 3.0
vllm:num_requests_waiting{engine="0",model_name="m"} 2.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.25
vllm:generation_tokens_total{engine="0",model_name="m"} 1.2e+03
"""
READING = Reading(running=3, waiting=2, kv_usage=0.25, pulse=1200.0)


def without(metric: bytes, page: bytes = PAGE) -> bytes:
    return b"\n".join(line for line in page.split(b"\n") if not line.startswith(metric + b"{"))


def test_page_is_read_by_exact_names() -> None:
    """Metrics whose names only begin alike are not mixed up, in whatever order they come."""
    backwards = b"\n".join(reversed(PAGE.split(b"\n")))

    assert pages.read(PAGE, VLLM) == pages.read(backwards, VLLM) == READING


def test_ranks_that_share_a_page_are_added_up() -> None:
    """Data-parallel ranks count together; the fullest cache speaks for all."""
    lines = PAGE.split(b"\n")
    other = [line.replace(b'engine="0"', b'engine="1"').replace(b"0.25", b"0.75") for line in lines]
    both = b"\n".join(line for pair in zip(lines, other, strict=True) for line in pair)

    assert pages.read(both, VLLM) == Reading(running=6, waiting=4, kv_usage=0.75, pulse=2400.0)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param(b"vllm:num_requests_running 7", 7, id="no labels"),
        pytest.param(b"vllm:num_requests_running\t7", 7, id="a tab"),
        pytest.param(b'vllm:num_requests_running{a="b"} 7 1767225600000', 7, id="a time"),
        pytest.param(b'vllm:num_requests_running{a="} 9 {"} 7', 7, id="braces in a label"),
        pytest.param(b'vllm:num_requests_running{a="vllm:num_requests_running 9"} 7', 7, id="a name in a label"),
        pytest.param(b'vllm:num_requests_running{a="\xff\xfe"} 7', 7, id="not UTF-8"),
    ],
)
def test_samples_may_be_written_in_many_ways(line: bytes, value: int) -> None:
    """Whatever the text format allows around a value, the value is found."""
    found = pages.read(without(b"vllm:num_requests_running") + line, VLLM)

    assert isinstance(found, Reading)
    assert found.running == value


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="JSON"),
        pytest.param(b"\n" * 1000, id="empty lines"),
        pytest.param(PAGE.replace(b"vllm:kv_cache_usage_perc", b"vllm:cache"), id="a number missing"),
        pytest.param(PAGE.replace(b"vllm:num_requests_running{", b" vllm:num_requests_running{"), id="not a name"),
        pytest.param(PAGE[: PAGE.index(b"vllm:num_requests_waiting_by")], id="cut off"),
    ],
)
def test_page_without_the_numbers_tells_nothing(page: bytes) -> None:
    """Where one of the three is missing the load is not known."""
    assert pages.read(page, VLLM) is Outcome.MISSING


@pytest.mark.parametrize(
    ("number", "lie"),
    [
        pytest.param(b"3.0", b"NaN", id="not a number"),
        pytest.param(b"3.0", b"-1", id="negative"),
        pytest.param(b"3.0", b"1e300", id="huge"),
        pytest.param(b"3.0", b"%d" % (MAX_REQUESTS + 1), id="too many"),
        pytest.param(b"3.0", b"+Inf", id="infinite"),
        pytest.param(b"3.0", b"three", id="a word"),
        pytest.param(b"3.0", b"", id="nothing"),
        pytest.param(b"2.0", b"-Inf", id="negative and infinite"),
        pytest.param(b"0.25", b"7", id="a share above one"),
        pytest.param(b"0.25", b"-0.1", id="a share below zero"),
        pytest.param(b"0.25", b"NaN", id="a share that is not a number"),
    ],
)
def test_number_that_cannot_be_is_absurd(number: bytes, lie: bytes) -> None:
    """One absurd number makes the page worthless."""
    assert pages.read(PAGE.replace(number, lie), VLLM) is Outcome.ABSURD


def test_negative_rank_is_not_hidden_by_the_others() -> None:
    """Each rank's number has to make sense, not only their sum."""
    line = b'vllm:num_requests_running{engine="0",model_name="m"} 3.0'
    both = PAGE.replace(line, line + b"\n" + line.replace(b"3.0", b"-2.0"))

    assert pages.read(both, VLLM) is Outcome.ABSURD


def test_absurd_pulse_is_no_pulse() -> None:
    """The pulse is no load: the page is worth something without it."""
    expected = Reading(running=3, waiting=2, kv_usage=0.25)

    assert pages.read(PAGE.replace(b"1.2e+03", b"NaN"), VLLM) == expected
    assert pages.read(without(b"vllm:generation_tokens_total"), VLLM) == expected


def test_older_vllm_is_read_by_its_older_name() -> None:
    """Before 0.9.2 the cache's share had another name; where a page has both, the newer one counts."""
    older = PAGE.replace(b"vllm:kv_cache_usage_perc", b"vllm:gpu_cache_usage_perc")
    both = PAGE + b'vllm:gpu_cache_usage_perc{engine="0",model_name="m"} 0.99'

    assert pages.read(older, VLLM) == pages.read(both, VLLM) == READING


SGLANG_PAGE = b"""\
sglang:num_running_reqs{model_name="m",priority="",tp_rank="0"} 5.0
sglang:num_running_reqs{model_name="m",priority="17",tp_rank="0"} 3.0
sglang:num_running_reqs{model_name="m",priority="-4",tp_rank="0"} 2.0
sglang:num_queue_reqs{priority="",model_name="m",tp_rank="0"} 1.0
sglang:num_queue_reqs{priority="17",model_name="m",tp_rank="0"} 1.0
sglang:token_usage{model_name="m",priority="",tp_rank="0"} 0.5
sglang:full_token_usage{model_name="m",priority="",tp_rank="0"} 0.9
sglang:gen_throughput{model_name="m",priority="",tp_rank="0"} 86.5
"""


def test_sglang_breakdown_is_not_counted_twice() -> None:
    """With priority scheduling SGLang shows a total and one line for each priority: the total counts."""
    expected = Reading(running=5, waiting=1, kv_usage=0.5, pulse=86.5)

    assert pages.read(SGLANG_PAGE, SGLANG) == expected
    assert pages.read(SGLANG_PAGE.replace(b'priority="",', b"").replace(b',priority=""', b""), SGLANG) == expected


def test_endless_breakdown_changes_nothing() -> None:
    """SGLang keeps a line for every priority it ever saw, and the picker gives every request another one."""
    total = b'sglang:num_running_reqs{priority=""} 5\n'
    parts = b"".join(b'sglang:num_running_reqs{priority="%d"} 1\n' % number for number in range(20 * MAX_SERIES))
    rest = SGLANG_PAGE[SGLANG_PAGE.index(b"sglang:num_queue_reqs") :]

    assert pages.read(total + parts + rest, SGLANG) == Reading(running=5, waiting=1, kv_usage=0.5, pulse=86.5)


def test_endless_family_is_not_read_to_its_end() -> None:
    """Of a family with more lines than any engine has ranks, the first thousand are read."""
    ranks = b"".join(b'vllm:num_requests_running{engine="%d"} 1\n' % rank for rank in range(20 * MAX_SERIES))

    found = pages.read(ranks + without(b"vllm:num_requests_running"), VLLM)

    assert isinstance(found, Reading)
    assert found.running == MAX_SERIES


def test_trtllm_is_read_by_its_names() -> None:
    """Its labels and prefix are its own, and its page is not where the others have theirs."""
    page = b"""\
trtllm_num_requests_running{engine_type="trtllm",model_name="m"} 4.0
trtllm_num_requests_waiting{engine_type="trtllm",model_name="m"} 0.0
trtllm_kv_cache_utilization{engine_type="trtllm",model_name="m"} 0.125
trtllm_iteration_latency_seconds{engine_type="trtllm",model_name="m"} 0.012
"""

    assert pages.read(page, TRTLLM) == Reading(running=4, waiting=0, kv_usage=0.125, pulse=0.012)
    assert TRTLLM.path == "/prometheus/metrics"


def test_engine_of_other_names_is_read_by_them() -> None:
    """Names from the configuration take the place of the profile's."""
    profile = VLLM.renamed(running="busy", waiting="line", kv_usage="full")

    assert pages.read(b"busy 1\nline 2\nfull 0.5\n", profile) == Reading(running=1, waiting=2, kv_usage=0.5)


def test_averages_are_rounded() -> None:
    """An engine that reports means of late is understood."""
    profile = EngineProfile(running=(b"r",), waiting=(b"w",), kv_usage=(b"k",))

    assert pages.read(b"r 2.6\nw 0.2\nk 0.5\n", profile) == Reading(running=3, waiting=0, kv_usage=0.5)
