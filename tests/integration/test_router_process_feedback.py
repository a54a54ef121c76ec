"""What the picker process has learned outlives it; feedback has its own port."""

from pathlib import Path

import grpc
import pytest
from engines import engine
from picker_processes import Picker, running, stopped

from chimera_proto.feedback.v1alpha1 import feedback_pb2 as proto
from chimera_proto.feedback.v1alpha1 import feedback_pb2_grpc as services
from chimera_router.prediction import state
from chimera_router.prediction.correction import Corrections

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("one_loop")]

HEADERS = {"x_chimera_workflow_id": "w-1", "x_request_id": "r-1"}


async def report(picker: Picker) -> proto.ReportResponse:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{picker.feedback}") as channel:
        stub = services.FeedbackStub(channel)
        response: proto.ReportResponse = await stub.Report(proto.ReportRequest(request_id="r-1", success=0.0))
        return response


def gauges(page: str) -> list[str]:
    return [line for line in page.splitlines() if "_correction_" in line and not line.startswith("#")]


async def test_what_was_learned_outlives_the_process(tmp_path: Path) -> None:
    """A long answer and a bad judgement move both gauges; the next process starts from there."""
    async with engine("small") as address:
        picker = Picker(tmp_path, address)
        async with running(picker) as process:
            await picker.ask(**HEADERS)
            assert (await report(picker)).model == "small"
            before = gauges(await picker.metrics())
            await stopped(process)
        async with running(picker):
            after = gauges(await picker.metrics())

    assert after == before
    assert [line.partition(" ")[0] for line in after] == [
        'chimera_length_correction_factor{model="small"}',
        'chimera_confidence_correction_logits{model="small"}',
    ]
    factor, logits = (float(line.partition(" ")[2]) for line in after)
    assert factor > 1.0
    assert logits < 0.0


async def test_a_state_that_is_none_is_named_and_ignored(tmp_path: Path) -> None:
    """The picker serves, says which file it refused, and writes a good one when it stops."""
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / state.FILE).write_text("canary")
    async with engine("small") as address, running(Picker(tmp_path, address)) as process:
        said = await stopped(process)

    assert "state refused" in said
    assert state.FILE in said
    assert "canary" not in said
    assert state.load(tmp_path / "state").by_model == Corrections().by_model
