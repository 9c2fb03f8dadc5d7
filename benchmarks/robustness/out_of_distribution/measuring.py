"""Every method on one problem, measured: HEAT beside the scores it has to beat."""

from hgld.benchmarks.robustness.measures import detection_measures
from hgld.benchmarks.robustness.out_of_distribution.heat.correction import (
    CorrectionConfig,
    with_travel,
)
from hgld.benchmarks.robustness.out_of_distribution.heat.detector import HeatConfig
from hgld.benchmarks.robustness.out_of_distribution.problems.holding_out import OutProblem
from hgld.benchmarks.robustness.out_of_distribution.scoring import heat_scorers, simple_scorers
from hgld.benchmarks.robustness.records import RobustnessRecord

OUT_PART = "out_of_distribution"
METHOD_TITLES = {
    "msp": "MSP",
    "max_logit": "Max logit",
    "energy": "Energy",
    "mahalanobis": "Mahalanobis",
    "knn": "kNN",
    "vim": "ViM",
    "prior_gmm": "GMM, not corrected",
    "prior_std": "GMM of std, not corrected",
    "priors": "All priors, not corrected",
    "heat_gmm": "HEAT, GMM",
    "heat_logits": "HEAT, logits",
    "heat_std": "HEAT, std",
    "heat_gmm_logits": "HEAT without std: GMM and logits",
    "heat_gmm_std": "HEAT, GMM and std",
    "heat_logits_std": "HEAT, logits and std",
    "heat": "HEAT",
}
"""In the order of the tables; with std where the std of the feature map is at hand."""
WITHOUT_STD = "heat_gmm_logits"
"""HEAT that sees what its rivals see."""


def measure_out_of_distribution(
    problem: OutProblem, config: HeatConfig, *, seed: int
) -> list[RobustnessRecord]:
    """Fits every method on the training rows and measures it on each kind of outside row.

    Args:
        problem: of this seed.
        config: of HEAT.
        seed: of HEAT's corrections.

    Returns:
        A record for each kind and method, with the measures of `detection_measures`; a data set is
        called `TITLE: KIND`.
    """
    scorers = {
        **simple_scorers(problem.train, problem.classifier),
        **heat_scorers(problem.train, problem.classifier, config, seed=seed),
    }
    scorers = {name: scorers[name] for name in METHOD_TITLES if name in scorers}
    inside = {name: score(problem.inside) for name, score in scorers.items()}
    return [
        RobustnessRecord(
            part=OUT_PART,
            data_set=f"{problem.title}: {kind}",
            method=METHOD_TITLES[name],
            seed=seed,
            measures=detection_measures(inside[name], score(outside)),
            curves={},
        )
        for kind, outside in problem.outside.items()
        for name, score in scorers.items()
    ]


def adapted_config(config: HeatConfig, rows: int) -> HeatConfig:
    """Returns HEAT's settings with rates by which its weights travel as far as published.

    See `with_travel`.
    """

    def fitted(one: CorrectionConfig) -> CorrectionConfig:
        return with_travel(one, rows)

    return HeatConfig(
        gaussians=fitted(config.gaussians), logits=fitted(config.logits), beta=config.beta
    )
