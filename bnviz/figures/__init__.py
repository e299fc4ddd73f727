"""Records in, Plotly figures out: pure functions that return plain dicts, with no torch and no Streamlit.

A chart is here once its module lists it in `__all__`.
"""

from bnviz.figures.activations import *
from bnviz.figures.comparison import *
from bnviz.figures.computation_graph import *
from bnviz.figures.curves import *
from bnviz.figures.distributions import *
from bnviz.figures.feature_maps import *
from bnviz.figures.gradient_shift import *
from bnviz.figures.gradients import *
from bnviz.figures.histograms import *
from bnviz.figures.inference import *
from bnviz.figures.initialization import *
from bnviz.figures.invariances import *
from bnviz.figures.landscape import *
from bnviz.figures.loss import *
from bnviz.figures.network_map import *
from bnviz.figures.normalization import *
from bnviz.figures.own_network import *
from bnviz.figures.ravine import *
from bnviz.figures.reproduction import *
from bnviz.figures.saturation import *
from bnviz.figures.schemes import *
from bnviz.figures.sharpness import *
from bnviz.figures.shift import *
from bnviz.figures.smoothness import *
from bnviz.figures.statistics_axes import *
from bnviz.figures.sweep import *
from bnviz.figures.sweep_normalizers import *
