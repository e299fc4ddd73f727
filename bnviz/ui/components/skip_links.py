"""Links that jump over the navigation, for whoever uses the keyboard."""

from collections.abc import Mapping

from bnviz.ui.components.component import component


def skip_links(places: Mapping[str, str]) -> None:
    """Put links before everything else on the page: the selector of a place by what its link says."""
    links = [{"label": label, "to": selector} for label, selector in places.items()]
    component("skip_links", __file__, "skipLinks", "")(data={"links": links}, key="skip_links")
