"""The story: where it begins, and its chapters with minutes and addresses, for a teacher."""

from bnviz.ui.sections.story.overview import show_overview

show_overview()
