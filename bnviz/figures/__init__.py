"""Records in, Plotly figures out: pure functions that return plain dicts, with no torch and no Streamlit."""

from bnviz.figures.activations import activation_function
from bnviz.figures.comparison import compared_gradients, compared_layer, compared_saturation
from bnviz.figures.computation_graph import computation_graph, gradient_check
from bnviz.figures.curves import accuracy_curves
from bnviz.figures.distributions import distributions_over_steps
from bnviz.figures.feature_maps import channel_histograms, feature_maps
from bnviz.figures.gradient_shift import gradient_shift
from bnviz.figures.gradients import gradient_flow, gradient_reach, layer_gradients
from bnviz.figures.histograms import activation_histograms
from bnviz.figures.inference import (
    bessel_correction,
    digit_answers,
    digit_image,
    inference_losses,
    running_statistics,
    statistics_error,
)
from bnviz.figures.initialization import (
    class_probabilities,
    layer_propagation,
    logit_means,
    mean_probabilities,
    weight_histogram,
)
from bnviz.figures.invariances import bias_effect, runaway_bias, scale_effect, scale_gradient
from bnviz.figures.landscape import landscape_slices
from bnviz.figures.loss import training_loss
from bnviz.figures.network_map import network_map
from bnviz.figures.normalization import batch_histograms, batch_points, statistics_axes
from bnviz.figures.own_network import (
    own_network_gradients,
    own_network_histogram,
    own_network_loss,
    own_network_map,
    own_network_saturation,
    own_network_statistics,
)
from bnviz.figures.ravine import ravine_contours, ravine_losses
from bnviz.figures.reproduction import reproduction_chart
from bnviz.figures.saturation import saturation_bars
from bnviz.figures.schemes import derived_scales, scheme_histograms, scheme_spreads, sign_agreement
from bnviz.figures.sharpness import batch_noise, gradient_by_scale, largest_rates, sharpness_over_steps
from bnviz.figures.shift import distribution_shift, unit_percentiles
from bnviz.figures.smoothness import (
    effective_learning_rate,
    effective_smoothness,
    generalization_gap,
    gradient_predictiveness,
    loss_band,
)
from bnviz.figures.sweep import sweep_lines, sweep_map, sweep_panels, sweep_place

__all__ = [
    "accuracy_curves",
    "activation_function",
    "activation_histograms",
    "batch_histograms",
    "batch_noise",
    "batch_points",
    "bessel_correction",
    "bias_effect",
    "channel_histograms",
    "class_probabilities",
    "compared_gradients",
    "compared_layer",
    "compared_saturation",
    "computation_graph",
    "derived_scales",
    "digit_answers",
    "digit_image",
    "distribution_shift",
    "distributions_over_steps",
    "effective_learning_rate",
    "effective_smoothness",
    "feature_maps",
    "generalization_gap",
    "gradient_by_scale",
    "gradient_check",
    "gradient_flow",
    "gradient_predictiveness",
    "gradient_reach",
    "gradient_shift",
    "inference_losses",
    "landscape_slices",
    "largest_rates",
    "layer_gradients",
    "layer_propagation",
    "logit_means",
    "loss_band",
    "mean_probabilities",
    "network_map",
    "own_network_gradients",
    "own_network_histogram",
    "own_network_loss",
    "own_network_map",
    "own_network_saturation",
    "own_network_statistics",
    "ravine_contours",
    "ravine_losses",
    "reproduction_chart",
    "runaway_bias",
    "running_statistics",
    "saturation_bars",
    "scale_effect",
    "scale_gradient",
    "scheme_histograms",
    "scheme_spreads",
    "sharpness_over_steps",
    "sign_agreement",
    "statistics_axes",
    "statistics_error",
    "sweep_lines",
    "sweep_map",
    "sweep_panels",
    "sweep_place",
    "training_loss",
    "unit_percentiles",
    "weight_histogram",
]
