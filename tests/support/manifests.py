"""A small manifest, and models of it."""

from chimera_training.bundle import (
    FORMAT_VERSION,
    GRAPHS,
    Application,
    ConfidenceFigures,
    Estimate,
    FeatureSettings,
    Figures,
    LengthFigures,
    Manifest,
    TrainedModel,
    TrainingData,
)
from chimera_training.encodings import MEASURED, STAGES
from chimera_training.features import HEAD_CHARACTERS, TAIL_CHARACTERS, length_features, reading_names

READINGS = reading_names(("code", "sums"))


def trained(
    name: str,
    *,
    family: str = "",
    parameters_b: float = 0.0,
    general_score: float = 0.5,
    head: tuple[float, ...] = (0.5, -0.5, -1.0),
) -> TrainedModel:
    return TrainedModel(
        name=name,
        family=family,
        parameters_b=parameters_b,
        general_score=general_score,
        head=head,
        ability=0.25,
        stage_verbosity=-0.5,
        remaining_verbosity=0.125,
        effects=((0.0, 0.1, 0.2, 0.3), (0.5, 0.5, 0.5, 0.5)),
    )


def application(name: str) -> Application:
    return Application(name=name, levels=((5.0,) * len(MEASURED),) * STAGES, stage_shift=0.1, remaining_shift=0.2)


def manifest() -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        written_by="chimera test",
        readings=READINGS,
        applications=(application(""), application("sums")),
        models=(trained("Big-70B-Chat", family="big", parameters_b=70), trained("Small-7B-Chat", parameters_b=7)),
        features=FeatureSettings(
            encoder="tfidf",
            head_characters=HEAD_CHARACTERS,
            tail_characters=TAIL_CHARACTERS,
            length=length_features(READINGS),
        ),
        training=TrainingData(files={}, held_out_share=0.3, tasks=2, outcomes=4, calls=8),
        figures=Figures(
            seeds=1,
            held_out_share=0.3,
            confidence=(
                ConfidenceFigures(
                    name="sums",
                    tasks=1,
                    outcomes=2,
                    auc=None,
                    brier=Estimate(value=0.2, low=0.1, high=0.3),
                    brier_constant=0.25,
                    calibration_error=0.1,
                ),
            ),
            pools=(),
            unseen_models=(),
            length=(
                LengthFigures(
                    name="sums",
                    target="remaining",
                    calls=2,
                    spearman=None,
                    kendall=None,
                    mean_error=Estimate(value=10.0, low=8.0, high=12.0),
                    mean_tokens=100.0,
                    coverage=Estimate(value=0.9, low=0.8, high=1.0),
                ),
            ),
        ),
        differences=dict.fromkeys(GRAPHS, 1e-6),
        files=dict.fromkeys(GRAPHS, "0" * 64),
    )
