"""The thresholds that several findings share."""

MOSTLY_SATURATED = 0.5  # share of a layer's outputs that keeps its gradient from the layers below
NO_GRADIENT = 1e-9  # L2 norm of a layer's gradient that counts as none
FAR_GRADIENTS = 50.0  # times between layer 1 and the output; a smaller change neither vanishes nor explodes
