"""Records in, Plotly figures out: pure functions that return plain dicts, with no torch and no Streamlit."""

from bnviz.figures.activations import activation_function, activation_histograms, saturation_bars
from bnviz.figures.curves import accuracy, training_loss
from bnviz.figures.feature_maps import channel_histograms, feature_maps
from bnviz.figures.gradients import gradient_flow, gradients, reach
from bnviz.figures.inference import answers, bessel, digit, inference_losses, running_statistics, statistics_error
from bnviz.figures.network_map import network_map
from bnviz.figures.reproduction import results
from bnviz.figures.sweep import sweep_lines, sweep_map, sweep_place

__all__ = [
    "accuracy",
    "activation_function",
    "activation_histograms",
    "answers",
    "bessel",
    "channel_histograms",
    "digit",
    "feature_maps",
    "gradient_flow",
    "gradients",
    "inference_losses",
    "network_map",
    "reach",
    "results",
    "running_statistics",
    "saturation_bars",
    "statistics_error",
    "sweep_lines",
    "sweep_map",
    "sweep_place",
    "training_loss",
]
