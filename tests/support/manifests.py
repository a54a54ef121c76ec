"""A small manifest, and models of it."""

from chimera_training.bundle import (
    FORMAT_VERSION,
    GRAPHS,
    ConfidenceFigures,
    FeatureSettings,
    Figures,
    LengthFigures,
    Manifest,
    TrainedModel,
    TrainingData,
)
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
    )


def manifest() -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        written_by="chimera test",
        readings=READINGS,
        models=(trained("Big-70B-Chat", family="big", parameters_b=70), trained("Small-7B-Chat", parameters_b=7)),
        features=FeatureSettings(
            encoder="tfidf",
            head_characters=HEAD_CHARACTERS,
            tail_characters=TAIL_CHARACTERS,
            length=length_features(READINGS),
            high_shift=0.1,
        ),
        training=TrainingData(files={}, held_out_share=0.3, tasks=2, outcomes=4, calls=8),
        figures=Figures(
            held_out_share=0.3,
            confidence=(
                ConfidenceFigures(
                    task_set="sums",
                    tasks=1,
                    outcomes=2,
                    auc=None,
                    brier=0.2,
                    brier_constant=0.25,
                    calibration_error=0.1,
                ),
            ),
            length=(
                LengthFigures(
                    task_set="sums",
                    target="remaining",
                    calls=2,
                    spearman=None,
                    kendall=None,
                    mean_error=10.0,
                    mean_tokens=100.0,
                    coverage=0.9,
                ),
            ),
        ),
        files=dict.fromkeys(GRAPHS, "0" * 64),
    )
